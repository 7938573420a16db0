# make fuzz FUZZ_SECONDS=60: the reader and the analyzer under libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer.
# make fuzz-control: the same with a seeded bug, which must be found.
# What it finds and its corpus stay in build/fuzz; tests/fuzz/corpus keeps the inputs that once found something, which
# every `make check` feeds to the target again, without libFuzzer (tests/cli_fuzz.sh).
FUZZ_SECONDS ?= 60
FUZZ_CC ?= clang
FUZZ := build/fuzz
FUZZ_C := tests/fuzz/fuzz_trace.c tests/crash/small.c $(FORMAT) $(WRITER) $(READER) \
	$(filter-out analyzer/main.c $(wildcard analyzer/tui*.c),$(ANALYZER))
FUZZ_O := $(patsubst %.c,$(FUZZ)/obj/%.o,$(FUZZ_C))
FUZZ_READER_O := $(patsubst %.c,$(FUZZ)/obj/%.o,$(READER))
FUZZ_FLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined
FUZZ_CFLAGS := $(filter-out -DHAVE_NCURSESW,$(BASE)) -w $(FUZZ_FLAGS)
# Seeded bugs: one that fuzzing from the seeds finds in seconds, and one that an input of the corpus found.
FUZZ_BUG := site_unchecked
FUZZ_CORPUS_BUG := undo_unchecked

$(FUZZ)/obj/%.o: %.c tests/fuzz/fuzz.mk
	$(call say,FUZZCC,$<)
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -MMD -MP -c -o $@ $<

$(FUZZ)/fuzz_trace: $(FUZZ_O)
	$(call say,LD,$@)
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) -o $@ $^ $(LIBS)

$(FUZZ)/fuzz_control: $(FUZZ_O) tests/crash/mutants/$(FUZZ_BUG).sed
	$(call say,MUTANT,$(FUZZ_BUG))
	$(Q)tests/crash/mutate tests/crash/mutants/$(FUZZ_BUG).sed $(FUZZ)/mutant
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -Iformat -o $@ $(filter-out $(FUZZ_READER_O),$(FUZZ_O)) $(FUZZ)/mutant/*.c $(LIBS)

# To start from: for each trace (first byte) and each kind of repair (second), changes of all kinds.
$(FUZZ)/seeds/done: tests/fuzz/fuzz.mk
	@mkdir -p $(@D)
	$(Q)for trace in 0 1 2 3 4 5; do for mode in 0 1 3; do \
		{ printf "\\00$$trace\\00$$mode"; seq -f "%08.0f" $$trace 19 400 | tr -d '\n'; } >$(@D)/$$trace$$mode; done; done
	@touch $@

FUZZ_RUN = ./$(1) -max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=2048 -max_len=2048 -len_control=0

fuzz: $(FUZZ)/fuzz_trace $(FUZZ)/seeds/done
	@mkdir -p $(FUZZ)/corpus
	$(Q)cd $(FUZZ) && $(call FUZZ_RUN,fuzz_trace) -print_final_stats=1 corpus seeds \
		$(wildcard $(CURDIR)/tests/fuzz/corpus) >fuzz.log 2>&1 || { tail -n 60 fuzz.log; exit 1; }
	@grep -E 'cov:|stat::' $(FUZZ)/fuzz.log | tail -n 6

fuzz-control: $(FUZZ)/fuzz_control $(FUZZ)/seeds/done
	@rm -rf $(FUZZ)/control && mkdir -p $(FUZZ)/control
	$(Q)cd $(FUZZ) && ! $(call FUZZ_RUN,fuzz_control) control seeds >control.log 2>&1
	@grep -E 'SUMMARY: (.*Sanitizer:|libFuzzer: deadly signal)' $(FUZZ)/control.log

# The corpus alone, with this variant's compiler and sanitizers.
$(BUILD)/fuzz_corpus: $(call obj,obj,tests/fuzz/main.c $(FUZZ_C))
	$(call say,LD,$@)
	$(LINK) $(SANITIZE) $(LIBS)

# The same with the seeded bug that one of the inputs found; sanitized, or it would go unnoticed.
$(BUILD)/fuzz_corpus_control: tests/fuzz/main.c $(FUZZ_C) tests/crash/mutants/$(FUZZ_CORPUS_BUG).sed
	$(call say,MUTANT,$(FUZZ_CORPUS_BUG))
	$(Q)tests/crash/mutate tests/crash/mutants/$(FUZZ_CORPUS_BUG).sed $(BUILD)/fuzz_mutant
	$(Q)$(CC) $(BASE) -w -O1 -g -fsanitize=address -Iformat -o $@ $(filter-out $(READER),$(filter %.c,$^)) \
		$(BUILD)/fuzz_mutant/*.c $(LIBS)

fuzz-corpus-control: $(BUILD)/fuzz_corpus_control

# libFuzzer comes with clang's runtime, which not every clang has.
FUZZ_THERE := $(wildcard $(shell $(FUZZ_CC) -print-file-name=libclang_rt.fuzzer-$(shell uname -m).a 2>/dev/null))
check-run: $(BUILD)/fuzz_corpus $(if $(FUZZ_THERE),$(FUZZ)/fuzz_trace $(FUZZ)/fuzz_control)
sanitized-run: $(BUILD)/fuzz_corpus

-include $(shell find $(FUZZ)/obj -name '*.d' 2>/dev/null)
.PHONY: fuzz fuzz-control fuzz-corpus-control
