# fil4prod. `make help` lists the targets; V=1 shows commands, WERROR=1 (or CI=true) makes warnings errors.
#
# Everything built is under build/VARIANT, so that variants stand side by side and nothing needs a clean:
#   make                             build/release, gcc
#   make CC=clang VARIANT=clang      another compiler
#   make check-asan check-tsan       build/asan, build/tsan
# Sources are found by name:
#   format/writer*.c   writer half (recorder only)       format/reader*.c  reader half (analyzer only)
#   format/*.c         the others: both halves
#   recorder/record*.c launcher; SHARED both; recorder/hooks.c alone defines malloc; the others: library
#   tests/check_*.c    a Check binary each, linked with everything but hooks.c and the mains
#   tests/support*.c   linked with every Check binary
#   tests/prog_*.c     a program each that tests run: libc only, never sanitized
#   tests/cli_*.sh     command line tests
ifeq ($(origin CC),default)
CC := gcc
endif
VARIANT ?= release
BUILD := build/$(VARIANT)
PREFIX ?= /usr/local
VERSION := 0.1.0
CFLAGS ?= -O2 -g
SANITIZE ?=
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla \
	$(if $(filter true,$(CI))$(WERROR),-Werror)
BASE := -std=c11 -D_GNU_SOURCE -DF4P_VERSION='"$(VERSION)"' -ffp-contract=off -fno-strict-aliasing \
	-fPIC -fvisibility=hidden -ftls-model=initial-exec $(WARN) -I.

# Optional libraries: $(1) pkg-config name, $(2) macro. What is found adds features; --version says which.
optional = $(if $(shell pkg-config --exists $(1) 2>/dev/null && echo y),$(eval FEATURES += -DHAVE_$(2)) \
	$(eval FEATURE_CFLAGS += $(filter -I%,$(shell pkg-config --cflags $(1)))) $(eval FEATURE_LIBS += $(shell pkg-config --libs $(1))))
FEATURES :=
FEATURE_CFLAGS :=
FEATURE_LIBS :=
$(call optional,zlib,ZLIB)$(call optional,libdw,LIBDW)$(call optional,ncursesw,NCURSESW)
# Only its demangler is used, which needs no C++ runtime.
LIBSUPCXX := $(filter /%,$(shell $(CC) -print-file-name=libsupc++.a 2>/dev/null))
ifneq ($(LIBSUPCXX),)
FEATURES += -DHAVE_LIBSUPCXX
FEATURE_LIBS += $(LIBSUPCXX)
endif
BASE += $(FEATURES) $(FEATURE_CFLAGS)
LIBS := -llz4 $(FEATURE_LIBS) -ldl -lm
CHECK_LIBS := $(shell pkg-config --libs check 2>/dev/null || echo -lcheck)

FORMAT := $(filter-out $(wildcard format/writer*.c format/reader*.c),$(wildcard format/*.c))
WRITER := $(wildcard format/writer*.c)
READER := $(wildcard format/reader*.c)
SHARED := $(patsubst %,recorder/%.c,config names redact residency retain say vitals)
LAUNCHER := $(wildcard recorder/record*.c) $(SHARED)
LIBRARY := $(filter-out $(wildcard recorder/record*.c),$(wildcard recorder/*.c))
ANALYZER := $(filter-out $(if $(findstring NCURSESW,$(FEATURES)),,$(wildcard analyzer/tui*.c)),$(wildcard analyzer/*.c))
CHECKS := $(filter-out $(if $(findstring NCURSESW,$(FEATURES)),,$(wildcard tests/check_tui*.c)),$(wildcard tests/check_*.c))
PROGS := $(wildcard tests/prog_*.c)
CLI := $(sort $(wildcard tests/cli_*.sh))
MAN := $(wildcard man/*.1 man/*.5)

# A preloaded library must not be sanitized: it would stop every program. It has objects of its own in such a variant.
PLAIN := $(if $(SANITIZE),plain,obj)
obj = $(patsubst %.c,$(BUILD)/$(1)/%.o,$(2))
LIBRARY_O := $(call obj,$(PLAIN),$(LIBRARY) $(WRITER) $(FORMAT))
LAUNCHER_O := $(call obj,obj,$(LAUNCHER) $(FORMAT))
ANALYZER_O := $(call obj,obj,$(ANALYZER) $(READER) $(FORMAT))
TESTABLE_O := $(sort $(call obj,obj,$(filter-out recorder/hooks.c recorder/record.c analyzer/main.c, \
	$(FORMAT) $(WRITER) $(READER) $(LIBRARY) $(LAUNCHER) $(ANALYZER) $(wildcard tests/support*.c))))
PROGRAMS := $(BUILD)/libfil4prod.so $(BUILD)/fil4prod-record $(BUILD)/fil4prod-analyze
CHECK_BIN := $(patsubst tests/%.c,$(BUILD)/%,$(CHECKS))
PROG_BIN := $(patsubst tests/%.c,$(BUILD)/%,$(PROGS))

all: $(PROGRAMS)

help:
	@echo 'make                   build the library, fil4prod-record and fil4prod-analyze in $(BUILD)'
	@echo 'make demo              run a Python job into an out-of-memory kill and read its trace'
	@echo 'make demo-pictures     the same, and its screens as tests/demo/*.svg'
	@echo 'make check             all tests; the last line is the sum'
	@echo 'make check-asan        the tests with AddressSanitizer and UndefinedBehaviorSanitizer'
	@echo 'make check-tsan        the threaded tests with ThreadSanitizer'
	@echo 'make tui-monkey        random keys for the terminal face (MONKEY_KEYS=100000)'
	@echo 'make tui-bench         how long the terminal face takes to answer each key'
	@echo 'make check-pythons     the Python tests on every release (PYTHONS=names WALKS=n LIBRARIES=dir)'
	@echo 'make bench             what recording costs: a table (BENCH=names BENCH_ROUNDS=n PEERS=1)'
	@echo 'make programs          CPython, NumPy, ... run their own tests bare and recorded: hours (ONLY=parts CPYTHON=modules)'
	@echo 'make check-qemu        cgroup v2 and a pulled plug, in a QEMU guest (software emulation)'
	@echo 'make lint              formatting, static analysis, manual pages, shell scripts'
	@echo 'make deps              install what building and testing need (root), or print the command'
	@echo 'make install           PREFIX=$(PREFIX) DESTDIR='
	@echo 'make uninstall, clean'

# ---- compiling -------------------------------------------------------------------------------------------------------

# Rewritten only when a flag changes: objects depend on it, so no clean is ever needed.
FLAGS := $(CC) $(BASE) $(CFLAGS) $(SANITIZE) $(LDFLAGS) $(LIBS)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(FLAGS))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(FLAGS))' >$@

# Says which package is missing before a compiler says which header is.
$(BUILD)/probe: $(BUILD)/flags
	$(Q)CC='$(CC)' .ci/deps --probe build
	@touch $@

define compile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE) $(CFLAGS) $(1) -MMD -MP -c -o $@ $<
endef

$(BUILD)/obj/%.o: %.c $(BUILD)/probe
	$(call compile,$(SANITIZE))

$(BUILD)/plain/%.o: %.c $(BUILD)/probe
	$(call compile,)

# ---- linking ---------------------------------------------------------------------------------------------------------

LINK = $(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,-z,relro,-z,now,--as-needed

$(BUILD)/libfil4prod.so: $(LIBRARY_O) recorder/exports.map
	$(call say,LD,$@)
	$(LINK) -shared -Wl,--version-script=recorder/exports.map -Wl,--exclude-libs,ALL -Wl,-z,defs,-z,text \
		-Wl,-soname,libfil4prod.so -l:liblz4.a

$(BUILD)/fil4prod-record: $(LAUNCHER_O)
	$(call say,LD,$@)
	$(LINK) $(SANITIZE)

$(BUILD)/fil4prod-analyze: $(ANALYZER_O)
	$(call say,LD,$@)
	$(LINK) $(SANITIZE) $(LIBS)

$(BUILD)/check_%: $(BUILD)/obj/tests/check_%.o $(TESTABLE_O)
	$(call say,LD,$@)
	$(LINK) $(SANITIZE) -l:liblz4.a $(FEATURE_LIBS) $(CHECK_LIBS) -ldl -pthread -lm

# What the tests of the terminal face look at.
$(BUILD)/tui_generate: $(call obj,obj,tests/tui/generate.c $(WRITER) $(FORMAT))
	$(call say,LD,$@)
	$(LINK) $(SANITIZE) -l:liblz4.a

$(BUILD)/prog_%: $(BUILD)/$(PLAIN)/tests/prog_%.o
	$(call say,LD,$@)
	$(LINK) -pthread

# ---- testing ---------------------------------------------------------------------------------------------------------

# DEPS=no goes on without what .ci/deps would install; tests that miss something skip loudly.
need = $(if $(filter no,$(DEPS)),@:,$(Q)CC='$(CC)' .ci/deps $(1))

check:
	$(call need,check)
	$(Q)$(MAKE) --no-print-directory check-run

check-run: all $(CHECK_BIN) $(PROG_BIN) $(BUILD)/tui_generate
	$(Q)tests/run --build $(BUILD) $(CHECK_BIN) $(CLI)

SANITIZED_CLI := $(filter-out tests/cli_build.sh tests/cli_demo.sh tests/cli_run.sh,$(CLI))
SANITIZER_OPTIONS := ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1 \
	UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1 SANITIZED=1

# What starts no thread has no races, and takes ThreadSanitizer many minutes.
THREADED_CHECKS := $(shell grep -l pthread_create $(CHECKS))

check-asan:
	$(call need,check)
	$(Q)$(MAKE) --no-print-directory sanitized-run VARIANT=asan CFLAGS='-O1 -g -fno-omit-frame-pointer' \
		SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all' RUN_CLI='$(SANITIZED_CLI)'

check-tsan:
	$(call need,check)
	$(Q)$(MAKE) --no-print-directory sanitized-run VARIANT=tsan CFLAGS='-O1 -g' CHECKS='$(THREADED_CHECKS)' \
		SANITIZE='-fsanitize=thread $(if $(findstring clang,$(CC)),,-Wno-tsan)' \
		PERSONALITY="$$(setarch -R true 2>/dev/null && echo setarch -R)"

# -Wno-tsan: gcc would warn of every fence that ThreadSanitizer does not model them.
# setarch -R: ThreadSanitizer cannot place its shadow where the kernel randomizes addresses with more than 28 bits.
sanitized-run: all $(CHECK_BIN) $(PROG_BIN) $(BUILD)/tui_generate
	$(Q)$(SANITIZER_OPTIONS) $(PERSONALITY) tests/run --timeout 3600 --build $(BUILD) $(CHECK_BIN) \
		$(RUN_CLI)

# MONKEY_KEYS=n, MONKEY_SEED=n, MONKEY_TRACE=FILE: random keys and resizes for the sanitized terminal face.
tui-monkey:
	$(call need,check)
	$(Q)$(MAKE) --no-print-directory tui-monkey-run VARIANT=asan CFLAGS='-O1 -g -fno-omit-frame-pointer' \
		SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all'

tui-monkey-run: all $(BUILD)/tui_generate
	$(Q)$(BUILD)/tui_generate $(BUILD)/monkey.bin hostile
	$(Q)$(SANITIZER_OPTIONS) python3 -B tests/tui/monkey.py --keys $(or $(MONKEY_KEYS),100000) \
		$(if $(MONKEY_SEED),--seed $(MONKEY_SEED)) $(BUILD)/fil4prod-analyze $(or $(MONKEY_TRACE),$(BUILD)/monkey.bin)

# QEMU_KERNEL and QEMU_MODULES: another kernel than the installed or Debian's.
check-qemu: all $(BUILD)/prog_death
	$(Q)BUILD=$(BUILD) sh tests/qemu.sh

lint:
	$(call need,all)
	$(Q).ci/lint $(BASE)

# PYTHONS='3.9 ...' chooses; the others that CI does not run are unpacked under build/pythons first.
check-pythons: all $(PROG_BIN)
	$(Q)BUILD=$(BUILD) PYTHONS='$(or $(PYTHONS),/usr/bin/python3 3.9 3.10 3.11 3.12 3.13 3.14 3.15)' \
		WALKS=$(or $(WALKS),10000000) sh tests/cli_python.sh

demo:
	$(call need,run)
	$(Q)$(MAKE) --no-print-directory demo-run

demo-run: all
	$(Q)BUILD=$(BUILD) tests/demo/run.sh

# Screens of the demo's death as pictures, for README.
demo-pictures: demo-run
	$(call say,SVG,tests/demo)
	$(Q)python3 -B tests/tui/picture.py $(BUILD)/fil4prod-analyze build/demo/etl.trace tests/demo/verdict.svg
	$(Q)python3 -B tests/tui/picture.py $(BUILD)/fil4prod-analyze build/demo/etl.trace tests/demo/source.svg Enter

deps:
	$(Q)CC='$(CC)' .ci/deps all

deps-run:
	$(Q)CC='$(CC)' .ci/deps run

# ---- measuring -------------------------------------------------------------------------------------------------------

# BENCH=names: only those; BENCH_ROUNDS=n; PEERS=1: other profilers too. Results stay in build/bench.
BENCH_DIR := build/bench
BENCH_BIN := $(addprefix $(BENCH_DIR)/,pairs churn spawn stall micro generate containers libempty.so)

bench: all $(BENCH_BIN)
	$(if $(PEERS),$(call need,peers))
	$(Q)python3 -B tests/bench/run.py --build $(BUILD) --programs $(BENCH_DIR) --rounds $(or $(BENCH_ROUNDS),15) \
		$(if $(BENCH),--only '$(BENCH)') $(if $(PEERS),--peers)
	$(if $(BENCH),,$(Q)$(MAKE) --no-print-directory tui-bench)

$(BENCH_DIR)/micro $(BENCH_DIR)/generate: $(BENCH_DIR)/%: \
		$(call obj,obj,tests/bench/%.c tests/bench/support.c $(WRITER) $(FORMAT))
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(LINK) -l:liblz4.a

# How long each key takes on a full trace of 64 MiB, whose table of sites is full, and on one with 100,000 stacks.
TUI_BENCH_BYTES := 67108864 100663296
tui-bench: all $(BENCH_DIR)/generate
	$(Q)for bytes in $(TUI_BENCH_BYTES); do rm -f $(BENCH_DIR)/full.bin && \
		$(BENCH_DIR)/generate $(BENCH_DIR)/full.bin $$bytes 160000 100000 | sed -n 's/^sites/a trace of '$$bytes' bytes; stacks:/p' && \
		python3 -B tests/tui/keys.py $(BUILD)/fil4prod-analyze $(BENCH_DIR)/full.bin || exit 1; done

$(BENCH_DIR)/libempty.so: $(BUILD)/obj/tests/bench/empty_interposer.o
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(LINK) -shared

$(BENCH_DIR)/containers: tests/bench/containers.cpp $(BUILD)/probe
	$(call say,CXX,$<)
	@mkdir -p $(@D)
	$(Q)$(CXX) -std=c++17 $(CFLAGS) -Wall -Wextra -o $@ $<

$(BENCH_DIR)/%: $(BUILD)/obj/tests/bench/%.o
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(LINK) -pthread

# ---- installing ------------------------------------------------------------------------------------------------------

# The launcher finds the library as ../lib/fil4prod/libfil4prod.so from where it stands itself.
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/fil4prod
	install -m 755 $(BUILD)/fil4prod-record $(BUILD)/fil4prod-analyze $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(BUILD)/libfil4prod.so $(DESTDIR)$(PREFIX)/lib/fil4prod
	for page in $(MAN); do \
		install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/} || exit 1; done

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/fil4prod-record $(DESTDIR)$(PREFIX)/bin/fil4prod-analyze
	rm -rf $(DESTDIR)$(PREFIX)/lib/fil4prod
	for page in $(MAN); do rm -f $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}; done

clean:
	rm -rf build

# ---- proofs that a trace survives ---------------------------------------------------------------------------------------

include tests/crash/crash.mk
include tests/host/host.mk

FORCE:
.PHONY: tui-monkey tui-monkey-run tui-bench demo-pictures
.PHONY: all help check check-run check-asan check-tsan check-pythons check-qemu sanitized-run bench lint demo demo-run deps \
	deps-run install uninstall clean FORCE
.SECONDARY:
.DELETE_ON_ERROR:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
