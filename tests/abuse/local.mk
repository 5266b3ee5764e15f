# The cases of abuse: what each program proves is in docs/TESTING.md.
check_LIBRARIES += %D%/libforge.a
%C%_libforge_a_SOURCES = %D%/forge.c %D%/forge.h
%C%_libforge_a_CPPFLAGS = $(AM_CPPFLAGS) $(SODIUM_CFLAGS) $(CMOCKA_CFLAGS)

check_PROGRAMS += %D%/test_coordinator
%C%_test_coordinator_SOURCES = %D%/test_coordinator.c
%C%_test_coordinator_LDADD = tests/abuse/libforge.a $(harness_libs)

check_PROGRAMS += %D%/test_interleavings
%C%_test_interleavings_SOURCES = %D%/test_interleavings.c
%C%_test_interleavings_LDADD = crypto/libround.a crypto/librandom.a \
	crypto/libhash.a common/libcommon.a $(SODIUM_LIBS) $(CRYPTO_LIBS) \
	$(CMOCKA_LIBS)
