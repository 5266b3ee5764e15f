check_PROGRAMS += %D%/test_hash
%C%_test_hash_SOURCES = %D%/test_hash.c
%C%_test_hash_LDADD = crypto/libhash.a common/libcommon.a $(SODIUM_LIBS) \
	$(CMOCKA_LIBS)
