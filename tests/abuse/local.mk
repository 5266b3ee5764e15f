# The cases of abuse; docs/TESTING.md says what each proves.  abuse.sh runs the
# programs and counts.
check_LIBRARIES += %D%/libforge.a
%C%_libforge_a_SOURCES = %D%/forge.c %D%/forge.h
%C%_libforge_a_CPPFLAGS = $(AM_CPPFLAGS) $(SODIUM_CFLAGS) $(CMOCKA_CFLAGS)

abuse_cases = %D%/cases_coordinator %D%/cases_crash %D%/cases_dropouts \
	%D%/cases_interleavings %D%/cases_learning %D%/cases_library \
	%D%/cases_noise %D%/cases_sites
EXTRA_PROGRAMS += $(abuse_cases)
%C%_cases_coordinator_SOURCES = %D%/cases_coordinator.c
%C%_cases_coordinator_LDADD = tests/abuse/libforge.a $(harness_libs)
%C%_cases_crash_SOURCES = %D%/cases_crash.c
%C%_cases_crash_LDADD = $(harness_libs)
%C%_cases_dropouts_SOURCES = %D%/cases_dropouts.c
%C%_cases_dropouts_LDADD = $(round_libs)
%C%_cases_learning_SOURCES = %D%/cases_learning.c
%C%_cases_learning_LDADD = $(harness_libs)
%C%_cases_noise_SOURCES = %D%/cases_noise.c
%C%_cases_noise_LDADD = model/libstep.a $(round_libs) -lm
%C%_cases_sites_SOURCES = %D%/cases_sites.c
%C%_cases_sites_LDADD = tests/abuse/libforge.a $(harness_libs)
%C%_cases_interleavings_SOURCES = %D%/cases_interleavings.c
# (what counts branches would take it ten times as long)
%C%_cases_interleavings_CFLAGS = $(AM_CFLAGS) -fno-profile-arcs \
	-fno-test-coverage
%C%_cases_interleavings_LDADD = crypto/libround.a crypto/librandom.a \
	crypto/libhash.a common/libcommon.a $(SODIUM_LIBS) $(CRYPTO_LIBS) \
	$(CMOCKA_LIBS)
%C%_cases_library_SOURCES = %D%/cases_library.c
%C%_cases_library_LDADD = $(round_libs) -lm

check_DATA += $(abuse_cases)
check_SCRIPTS += %D%/abuse.sh
EXTRA_DIST += %D%/abuse.sh %D%/crash.sh
CLEANFILES += $(abuse_cases) %D%/abuse.out
