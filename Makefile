# fil4prod. Targets: all (default), check, check-asan, check-tsan, lint, bench, demo, deps, install, clean.
CC ?= gcc
VARIANT ?= release
BUILD := build/$(VARIANT)
PREFIX ?= /usr/local
VERSION := 0.1.0

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
CFLAGS ?= -O2 -g
BASE := -std=c11 -D_GNU_SOURCE -DF4P_VERSION='"$(VERSION)"' -ffp-contract=off -fno-strict-aliasing $(WARN) -MMD -MP -I.
Q := $(if $(V),,@)

FORMAT := hash weight layout
WRITER := $(patsubst format/%.c,%,$(wildcard format/writer*.c))
READER := $(patsubst format/%.c,%,$(wildcard format/reader*.c))
# recorder/record*.c is the launcher, recorder/vitals*.c serves both, hooks.c alone defines malloc
LAUNCHER := $(wildcard recorder/record*.c) $(wildcard recorder/vitals*.c)
LIBRARY := $(filter-out $(wildcard recorder/record*.c),$(wildcard recorder/*.c))
ANALYZER := $(wildcard analyzer/*.c)
CHECKS := $(wildcard tests/check_*.c)

obj = $(patsubst %.c,$(BUILD)/$(2)/%.o,$(1))
FORMAT_O := $(call obj,$(FORMAT:%=format/%.c),pic)
WRITER_O := $(call obj,$(WRITER:%=format/%.c),pic)
READER_O := $(call obj,$(READER:%=format/%.c),pic)
LIBRARY_O := $(call obj,$(LIBRARY),pic)
LAUNCHER_O := $(call obj,$(LAUNCHER),pic)
ANALYZER_O := $(call obj,$(ANALYZER),pic)
TESTABLE_O := $(FORMAT_O) $(WRITER_O) $(READER_O) $(filter-out %/hooks.o,$(LIBRARY_O)) \
	$(filter-out %/record.o %/vitals%.o,$(LAUNCHER_O)) $(filter-out %/main.o,$(ANALYZER_O))

PROGRAMS := $(BUILD)/libfil4prod.so $(BUILD)/fil4prod-record $(BUILD)/fil4prod-analyze
all: $(PROGRAMS)

$(BUILD)/pic/%.o: %.c
	@mkdir -p $(@D)
	$(if $(Q),@echo "  CC      $<")
	$(Q)$(CC) $(BASE) $(CFLAGS) -fPIC -fvisibility=hidden -ftls-model=initial-exec -c -o $@ $<

$(BUILD)/libfil4prod.so: $(LIBRARY_O) $(WRITER_O) $(FORMAT_O) recorder/exports.map
	$(if $(Q),@echo "  LD      $@")
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -shared -o $@ $(filter %.o,$^) -Wl,--version-script=recorder/exports.map \
		-Wl,--exclude-libs,ALL -Wl,-z,defs -Wl,-z,now -Wl,-soname,libfil4prod.so -l:liblz4.a

$(BUILD)/fil4prod-record: $(LAUNCHER_O) $(FORMAT_O)
	$(if $(Q),@echo "  LD      $@")
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

$(BUILD)/fil4prod-analyze: $(ANALYZER_O) $(READER_O) $(FORMAT_O)
	$(if $(Q),@echo "  LD      $@")
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -llz4 -lz -lm

$(BUILD)/check_%: $(BUILD)/pic/tests/check_%.o $(TESTABLE_O)
	$(if $(Q),@echo "  LD      $@")
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -l:liblz4.a -lz -lm $(shell pkg-config --libs check)

CHECK_BIN := $(patsubst tests/%.c,$(BUILD)/%,$(CHECKS))
check: all $(CHECK_BIN)
	$(Q)for t in $(CHECK_BIN); do $$t || exit 1; done

clean:
	rm -rf build

.PHONY: all check clean
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
