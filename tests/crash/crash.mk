# Proofs that a trace survives, see README.md here. Their programs are never sanitized, but for the fuzz target.
#   make crash        all campaigns at their full size (half an hour)
#   make crash-steps STEPS=1000000, crash-kill KILLS=10000, crash-splice FILES=10000, crash-oom OOMS=200, crash-long
# The short forms and the seeded bugs that must make each fail are in tests/cli_crash.sh.
CRASH := $(BUILD)/crash
CRASH_MUTANTS := $(patsubst tests/crash/mutants/%.sed,%,$(wildcard tests/crash/mutants/*.sed))
CRASH_READER_MUTANTS := live_trusted peak_trusted undo_unchecked site_unchecked
CRASH_FORMAT_O := $(patsubst %.c,$(CRASH)/obj/%.o,$(FORMAT) $(READER))
CRASH_WRITER_O := $(patsubst %.c,$(CRASH)/obj/%.o,$(WRITER))
CRASH_STEPS_O := $(CRASH)/obj/tests/crash/small.o $(CRASH)/obj/tests/crash/steps.o
CRASH_PROGRAMS := $(CRASH)/steps $(patsubst %,$(CRASH)/steps_%,$(filter-out $(CRASH_READER_MUTANTS),$(CRASH_MUTANTS))) $(CRASH)/kill $(CRASH)/victim \
	$(CRASH)/libunarmed.so $(CRASH)/libpeak_lost.so $(CRASH)/libsite_lost.so $(CRASH)/probe $(CRASH)/hog $(CRASH)/long $(CRASH)/long_peak_lost $(CRASH)/splice $(CRASH)/splice_live_trusted $(CRASH)/splice_peak_trusted
STEPS ?= 1000000
KILLS ?= 10000
FILES ?= 10000
OOMS ?= 200
EVENTS ?= 1000000000

$(CRASH)/obj/%.o: %.c $(BUILD)/probe
	$(call compile,-Itests/crash)

CRASH_LINK = $(Q)$(CC) -o $@ $(filter %.o,$^) -Wl,-z,now,--as-needed
CRASH_WRAP := -Wl,--wrap=memcpy,--wrap=f4p_hash,--wrap=f4p_sample_weight,--wrap=LZ4_compress_fast_extState

$(CRASH)/steps: $(CRASH_STEPS_O) $(CRASH_WRITER_O) $(CRASH_FORMAT_O)
	$(call say,LD,$@)
	$(CRASH_LINK) $(CRASH_WRAP) -l:liblz4.a -lm

$(CRASH)/mutant/%/done: tests/crash/mutants/%.sed tests/crash/mutate $(WRITER) $(READER) $(BUILD)/probe
	$(call say,MUTANT,$*)
	$(Q)tests/crash/mutate $< $(@D)
	$(Q)cd $(@D) && for file in *.c; do \
		$(CC) $(BASE) -I'$(CURDIR)' -I'$(CURDIR)/format' $(CFLAGS) -w -c $$file || exit 1; done
	@touch $@

$(CRASH)/steps_%: $(CRASH)/mutant/%/done $(CRASH_STEPS_O) $(CRASH_FORMAT_O)
	$(call say,LD,$@)
	$(CRASH_LINK) $(@D)/mutant/$*/*.o $(CRASH_WRAP) -l:liblz4.a -lm

$(CRASH)/kill: $(CRASH)/obj/tests/crash/kill.o $(CRASH_FORMAT_O)
	$(call say,LD,$@)
	$(CRASH_LINK) -l:liblz4.a -lm

$(CRASH)/probe: $(CRASH)/obj/tests/crash/probe.o $(CRASH_FORMAT_O)
	$(call say,LD,$@)
	$(CRASH_LINK) -l:liblz4.a -lm

$(CRASH)/long: $(CRASH)/obj/tests/crash/long.o $(CRASH_WRITER_O) $(CRASH_FORMAT_O)
	$(call say,LD,$@)
	$(CRASH_LINK) -l:liblz4.a -lm

$(CRASH)/long_%: $(CRASH)/mutant/%/done $(CRASH)/obj/tests/crash/long.o $(CRASH_FORMAT_O)
	$(call say,LD,$@)
	$(CRASH_LINK) $(@D)/mutant/$*/*.o -l:liblz4.a -lm

$(CRASH)/hog: $(CRASH)/obj/tests/crash/hog.o
	$(call say,LD,$@)
	$(CRASH_LINK) -pthread

$(CRASH)/victim: $(CRASH)/obj/tests/crash/victim.o
	$(call say,LD,$@)
	$(CRASH_LINK) -pthread

CRASH_SPLICE_O := $(CRASH)/obj/tests/crash/small.o $(CRASH)/obj/tests/crash/splice.o $(CRASH_WRITER_O)

$(CRASH)/splice: $(CRASH_SPLICE_O) $(CRASH_FORMAT_O)
	$(call say,LD,$@)
	$(CRASH_LINK) -Wl,--wrap=f4p_hash -l:liblz4.a -lm

$(CRASH)/splice_%: $(CRASH)/mutant/%/done $(CRASH_SPLICE_O) $(patsubst %.c,$(CRASH)/obj/%.o,$(FORMAT))
	$(call say,LD,$@)
	$(CRASH_LINK) $(@D)/mutant/$*/*.o -Wl,--wrap=f4p_hash -l:liblz4.a -lm

# The library with a seeded bug.
$(CRASH)/lib%.so: $(CRASH)/mutant/%/done $(filter-out $(call obj,$(PLAIN),$(WRITER)),$(LIBRARY_O)) \
		recorder/exports.map
	$(call say,LD,$@)
	$(LINK) $(CRASH)/mutant/$*/*.o -shared -Wl,--version-script=recorder/exports.map \
		-Wl,--exclude-libs,ALL -Wl,-z,defs -l:liblz4.a

crash-programs: $(CRASH_PROGRAMS)

crash-steps: $(CRASH)/steps
	$(CRASH)/steps --states $(STEPS)

crash-kill: all $(CRASH)/kill $(CRASH)/victim
	dir=$$(mktemp -d) && $(CRASH)/kill $(BUILD)/libfil4prod.so $(CRASH)/victim "$$dir" --kills $(KILLS) && rmdir "$$dir"

crash: crash-steps crash-kill crash-splice crash-oom crash-long

crash-splice: $(CRASH)/splice
	$(CRASH)/splice --files $(FILES)

crash-oom: all $(CRASH)/probe $(CRASH)/hog
	tests/crash/oom.py $(BUILD) --kills $(OOMS)

crash-long: $(CRASH)/long
	$(CRASH)/long $(EVENTS)

.PHONY: crash crash-long crash-oom crash-splice crash-programs crash-steps crash-kill

check-run sanitized-run: crash-programs

# ThreadSanitizer sees a lock that excludes but orders nothing: part of check-tsan.
$(CRASH)/unordered_lock.c: recorder/lock.c
	@mkdir -p $(@D)
	$(Q)sed 's/__ATOMIC_ACQUIRE/__ATOMIC_RELAXED/' $< >$@ && ! cmp -s $< $@

$(CRASH)/unordered_lock.o: $(CRASH)/unordered_lock.c
	$(call compile,$(SANITIZE) -Irecorder)

$(CRASH)/unordered: $(BUILD)/obj/tests/check_threads.o $(CRASH)/unordered_lock.o \
		$(filter-out $(BUILD)/obj/recorder/lock.o,$(TESTABLE_O))
	$(call say,MUTANT,$@)
	$(LINK) $(SANITIZE) -l:liblz4.a $(FEATURE_LIBS) $(CHECK_LIBS) -ldl -pthread -lm

tsan-control: $(CRASH)/unordered
	$(Q)! $(SANITIZER_OPTIONS) $(PERSONALITY) $< >$<.log 2>&1
	$(Q)grep -q 'WARNING: ThreadSanitizer: data race' $<.log && echo 'control: ThreadSanitizer sees an unordered lock'

ifneq ($(findstring =thread,$(SANITIZE)),)
sanitized-run: tsan-control
endif
.PHONY: tsan-control

include tests/fuzz/fuzz.mk

$(BUILD)/check_writer: $(BUILD)/obj/tests/crash/small.o
