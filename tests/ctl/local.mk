check_PROGRAMS += %D%/test_json_read %D%/test_local_proc %D%/test_pooled
%C%_test_json_read_SOURCES = %D%/test_json_read.c
%C%_test_json_read_LDADD = ctl/liblocal.a common/libcommon.a $(CMOCKA_LIBS)
%C%_test_local_proc_SOURCES = %D%/test_local_proc.c
%C%_test_local_proc_LDADD = ctl/liblocal.a common/libcommon.a $(CMOCKA_LIBS)
%C%_test_pooled_SOURCES = %D%/test_pooled.c
%C%_test_pooled_LDADD = \
	ctl/libpooled.a common/libcommon.a -lm $(CMOCKA_LIBS)
EXTRA_DIST += tests/reference/pooled.R tests/vectors/pooled/README.md \
	tests/vectors/pooled/lung.csv tests/vectors/pooled/birthwt.csv \
	tests/vectors/pooled/figures.csv
check_SCRIPTS += %D%/offline.sh
EXTRA_DIST += %D%/offline.sh
