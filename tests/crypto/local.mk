check_PROGRAMS += %D%/test_hash
%C%_test_hash_SOURCES = %D%/test_hash.c
%C%_test_hash_LDADD = crypto/libhash.a common/libcommon.a $(SODIUM_LIBS) \
	$(CMOCKA_LIBS)
check_PROGRAMS += \
	%D%/test_audit %D%/test_cert \
	%D%/test_keyfile %D%/test_manifest
authority_libs = crypto/libauthority.a common/libcommon.a \
	$(SODIUM_LIBS) $(CRYPTO_LIBS) $(CMOCKA_LIBS)
%C%_test_audit_SOURCES = %D%/test_audit.c
%C%_test_audit_LDADD = $(authority_libs)
%C%_test_cert_SOURCES = %D%/test_cert.c
%C%_test_cert_LDADD = $(authority_libs)
%C%_test_keyfile_SOURCES = %D%/test_keyfile.c
%C%_test_keyfile_LDADD = $(authority_libs)
%C%_test_manifest_SOURCES = %D%/test_manifest.c
%C%_test_manifest_LDADD = $(authority_libs)

# A whole round in one process, with randomness from a seed.
check_LIBRARIES += %D%/libworld.a
%C%_libworld_a_SOURCES = \
	%D%/random_fixed.c %D%/random_fixed.h \
	%D%/world.c %D%/world.h
%C%_libworld_a_CPPFLAGS = $(AM_CPPFLAGS) $(SODIUM_CFLAGS) $(CMOCKA_CFLAGS)
round_libs = tests/crypto/libworld.a crypto/libround.a \
	tests/crypto/libworld.a crypto/libhash.a common/libcommon.a \
	$(SODIUM_LIBS) $(CRYPTO_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += %D%/test_round
%C%_test_round_SOURCES = %D%/test_round.c
%C%_test_round_LDADD = $(round_libs)
check_PROGRAMS += %D%/test_golden
%C%_test_golden_SOURCES = %D%/test_golden.c
%C%_test_golden_LDADD = $(round_libs)
EXTRA_DIST += tests/reference/oracle.py \
	tests/vectors/round/complaint.txt tests/vectors/round/n3.txt \
	tests/vectors/round/n3-noise.txt tests/vectors/round/n5-noise.txt \
	tests/vectors/round/n10-noise.txt tests/vectors/round/n4.txt tests/vectors/round/n5.txt \
	tests/vectors/round/n3-b32.txt tests/vectors/round/n5-b32.txt \
	tests/vectors/round/n10.txt tests/vectors/round/n10-chacha20.txt
check_PROGRAMS += %D%/test_noise
%C%_test_noise_SOURCES = %D%/test_noise.c
%C%_test_noise_LDADD = $(round_libs) -lm
check_PROGRAMS += %D%/test_group %D%/test_prg %D%/test_seal
%C%_test_group_SOURCES = %D%/test_group.c
%C%_test_group_LDADD = $(round_libs)
%C%_test_prg_SOURCES = %D%/test_prg.c
%C%_test_prg_LDADD = $(round_libs)
%C%_test_seal_SOURCES = %D%/test_seal.c
%C%_test_seal_LDADD = $(round_libs)
check_PROGRAMS += %D%/test_round_refusals
%C%_test_round_refusals_SOURCES = %D%/test_round_refusals.c
%C%_test_round_refusals_LDADD = $(round_libs)
check_PROGRAMS += %D%/test_round_coord %D%/test_round_forged
%C%_test_round_coord_SOURCES = %D%/test_round_coord.c
%C%_test_round_coord_LDADD = $(round_libs)
%C%_test_round_forged_SOURCES = %D%/test_round_forged.c
%C%_test_round_forged_LDADD = $(round_libs)
check_PROGRAMS += %D%/test_round_check
%C%_test_round_check_SOURCES = %D%/test_round_check.c
%C%_test_round_check_LDADD = $(round_libs)

# With faults of the system in the program itself.
check_LIBRARIES += %D%/libinside.a
%C%_libinside_a_SOURCES = tests/faults/inside.c tests/faults/inside.h
%C%_libinside_a_CPPFLAGS = $(AM_CPPFLAGS) $(SODIUM_CFLAGS) $(CRYPTO_CFLAGS) \
	$(CMOCKA_CFLAGS)
# It is called before a sanitizer's runtime is ready.
%C%_libinside_a_CFLAGS = $(AM_CFLAGS) -fno-sanitize=all
check_PROGRAMS += %D%/test_round_faults
%C%_test_round_faults_SOURCES = %D%/test_round_faults.c
%C%_test_round_faults_LDADD = tests/crypto/libinside.a $(round_libs)
check_PROGRAMS += %D%/test_authority_faults
%C%_test_authority_faults_SOURCES = %D%/test_authority_faults.c
%C%_test_authority_faults_LDADD = tests/crypto/libinside.a $(authority_libs)
