check_PROGRAMS += %D%/test_isolation
%C%_test_isolation_SOURCES = %D%/test_isolation.c
%C%_test_isolation_LDADD = privsep/libprivsep.a common/libcommon.a \
	$(SECCOMP_LIBS) $(CMOCKA_LIBS)
check_SCRIPTS += %D%/links.sh
EXTRA_DIST += %D%/links.sh
dist_doc_DATA += docs/TESTING.md
