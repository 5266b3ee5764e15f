check_PROGRAMS += %D%/test_config
%C%_test_config_SOURCES = %D%/test_config.c
%C%_test_config_LDADD = coordinator/libcoordconfig.a common/libcommon.a \
	$(CMOCKA_LIBS)

check_PROGRAMS += %D%/test_book
%C%_test_book_SOURCES = %D%/test_book.c tests/common/raw_db.h
%C%_test_book_LDADD = coordinator/libbook.a common/libdb.a \
	common/libcommon.a $(SQLITE_LIBS) $(SODIUM_LIBS) $(CMOCKA_LIBS)
