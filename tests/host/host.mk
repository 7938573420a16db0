# Programs that stand for every hazard of a host process, and the library with each of its guards taken out: every test
# of tests/cli_host.sh is seen to fail. Never sanitized.
#   make programs    long form of tests/cli_programs.sh: whole test suites of real programs, bare and recorded; hours
#                    (ONLY='numpy git ...' CPYTHON='test_os ...' TABLE=FILE: parts, and where the table goes)
HOST := $(BUILD)/host
HOST_PLUGINS := plugin early reentrant
HOST_PROGRAMS := $(patsubst tests/host/%.c,$(HOST)/%,$(filter-out $(HOST_PLUGINS:%=tests/host/%.c),$(wildcard tests/host/*.c))) \
	$(HOST)/exceptions $(HOST_PLUGINS:%=$(HOST)/%.so)
HOST_MUTANTS := $(patsubst tests/host/mutants/%.sed,$(HOST)/mutant/%/libfil4prod.so,$(wildcard tests/host/mutants/*.sed))
HOST_LD = $(Q)$(CC) $(CFLAGS) -o $@ $(filter %.o,$^)

$(HOST)/obj/%.o: %.c $(BUILD)/probe
	$(call compile,)

$(HOST)/%.so: $(HOST)/obj/tests/host/%.o
	$(call say,LD,$@)
	$(HOST_LD) -shared

# Its malloc is one that libraries see, and that the compiler knows nothing of.
$(HOST)/obj/tests/host/own_malloc.o: override CFLAGS += -fvisibility=default -fno-builtin

$(HOST)/exceptions: tests/host/exceptions.cpp $(BUILD)/probe
	$(call say,CXX,$<)
	@mkdir -p $(@D)
	$(Q)$(CXX) -std=c++17 $(CFLAGS) $(filter-out -Wstrict-prototypes -Wmissing-prototypes,$(WARN)) -o $@ $< -pthread

$(HOST)/%: $(HOST)/obj/tests/host/%.o
	$(call say,LD,$@)
	$(HOST_LD) -pthread -ldl

# A mutant's first line names the file it changes: "# sample.c: what is taken out".
$(HOST)/mutant/%/libfil4prod.so: tests/host/mutants/%.sed $(BUILD)/libfil4prod.so
	$(call say,MUTANT,$*)
	@mkdir -p $(@D)
	$(Q)file=$$(sed -n '1s/^# \([a-z_]*\)\.c:.*/\1/p' $<) && sed -f $< recorder/$$file.c >$(@D)/$$file.c && \
		if cmp -s recorder/$$file.c $(@D)/$$file.c; then echo "$<: changes nothing any more; adapt it" >&2; exit 1; fi && \
		$(CC) $(BASE) -Irecorder $(CFLAGS) -w -c -o $(@D)/mutant.o $(@D)/$$file.c && \
		objects= && for object in $(LIBRARY_O); do \
			case $$object in */recorder/$$file.o) ;; *) objects="$$objects $$object" ;; esac; done && \
		$(CC) $(CFLAGS) -o $@ $$objects $(@D)/mutant.o -shared -Wl,--version-script=recorder/exports.map \
			-Wl,--exclude-libs,ALL -Wl,-z,now -Wl,-z,defs -l:liblz4.a

host-programs: $(HOST_PROGRAMS) $(HOST_MUTANTS)

programs: all
	$(call need,long)
	$(Q)BUILD=$(BUILD) LONG=1 sh tests/cli_programs.sh

.PHONY: host-programs programs
check-run sanitized-run: host-programs
