# make fuzz FUZZ_SECONDS=60: the reader and the analyzer under libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer.
# What it finds and its corpus stay in build/fuzz; tests/fuzz/corpus keeps the inputs that once found something.
FUZZ_SECONDS ?= 60
FUZZ_CC ?= clang
FUZZ := build/fuzz
FUZZ_C := tests/fuzz/fuzz_trace.c tests/crash/small.c $(FORMAT) $(WRITER) $(READER) \
	$(filter-out analyzer/main.c $(wildcard analyzer/tui*.c),$(ANALYZER))
FUZZ_FLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined

$(FUZZ)/fuzz_trace: $(FUZZ_C) $(wildcard format/*.h analyzer/*.h tests/crash/small.h)
	@mkdir -p $(@D)/corpus
	$(call say,FUZZ,$@)
	$(Q)$(FUZZ_CC) $(filter-out -DHAVE_NCURSESW,$(BASE)) -w $(FUZZ_FLAGS) -Itests/crash -o $@ $(FUZZ_C) $(LIBS)

# A fresh corpus: for each trace to start from (first byte) and each kind of repair (second), changes of all kinds.
$(FUZZ)/seeds: tests/fuzz/fuzz.mk
	@mkdir -p $@
	$(Q)for trace in 0 1 2 3 4 5; do for mode in 0 1 3; do \
		{ printf "\\00$$trace\\00$$mode"; seq -f "%08.0f" $$trace 19 400 | tr -d '\n'; } >$@/$$trace$$mode; done; done
	@touch $@

FUZZ_RUN = ./$(1) -max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=2048 -max_len=2048 -len_control=0

fuzz: $(FUZZ)/fuzz_trace $(FUZZ)/seeds
	cd $(FUZZ) && $(call FUZZ_RUN,fuzz_trace) -print_final_stats=1 corpus seeds \
		$(wildcard $(CURDIR)/tests/fuzz/corpus) >fuzz.log 2>&1 || { tail -n 60 fuzz.log; exit 1; }
	@grep -E 'cov:|stat::' $(FUZZ)/fuzz.log | tail -n 6

# The control: a reader with a seeded bug must not live long.
$(FUZZ)/fuzz_control: $(FUZZ_C) tests/crash/mutants/undo_unchecked.sed
	$(call say,FUZZ,$@)
	$(Q)tests/crash/mutate tests/crash/mutants/undo_unchecked.sed $(FUZZ)/mutant
	$(Q)$(FUZZ_CC) $(filter-out -DHAVE_NCURSESW,$(BASE)) -w $(FUZZ_FLAGS) -Itests/crash -Iformat -o $@ \
		$(filter-out $(READER),$(FUZZ_C)) $(FUZZ)/mutant/*.c $(LIBS)

fuzz-control: $(FUZZ)/fuzz_control $(FUZZ)/seeds
	cd $(FUZZ) && mkdir -p control && ! $(call FUZZ_RUN,fuzz_control) control seeds >control.log 2>&1
	@grep 'SUMMARY: AddressSanitizer' $(FUZZ)/control.log

.PHONY: fuzz fuzz-control
