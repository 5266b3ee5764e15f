check_PROGRAMS += %D%/test_canon %D%/test_db %D%/test_file %D%/test_ini \
	%D%/test_json
%C%_test_canon_SOURCES = %D%/test_canon.c
%C%_test_canon_LDADD = common/libcommon.a $(CMOCKA_LIBS)
%C%_test_db_SOURCES = %D%/test_db.c
%C%_test_db_LDADD = common/libdb.a common/libcommon.a $(SQLITE_LIBS) \
	$(SODIUM_LIBS) $(CMOCKA_LIBS)
%C%_test_file_SOURCES = %D%/test_file.c
%C%_test_file_LDADD = common/libcommon.a $(CMOCKA_LIBS)
%C%_test_json_SOURCES = %D%/test_json.c
%C%_test_json_LDADD = common/libcommon.a $(CMOCKA_LIBS)
%C%_test_ini_SOURCES = %D%/test_ini.c
%C%_test_ini_LDADD = common/libcommon.a $(CMOCKA_LIBS)
check_PROGRAMS += %D%/test_clock
%C%_test_clock_SOURCES = %D%/test_clock.c
%C%_test_clock_LDADD = common/libcommon.a $(CMOCKA_LIBS)
check_PROGRAMS += %D%/test_json_read
%C%_test_json_read_SOURCES = %D%/test_json_read.c
%C%_test_json_read_LDADD = common/libjson.a common/libcommon.a $(YAJL_LIBS) \
	$(CMOCKA_LIBS)
check_PROGRAMS += %D%/test_catalogue
%C%_test_catalogue_SOURCES = %D%/test_catalogue.c
%C%_test_catalogue_LDADD = common/libcommon.a $(CMOCKA_LIBS)
check_PROGRAMS += %D%/test_log
%C%_test_log_SOURCES = %D%/test_log.c
%C%_test_log_LDADD = common/libcommon.a $(CMOCKA_LIBS)
check_PROGRAMS += %D%/test_bucket
%C%_test_bucket_SOURCES = %D%/test_bucket.c
%C%_test_bucket_LDADD = common/libcommon.a $(CMOCKA_LIBS)
