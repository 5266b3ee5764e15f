check_PROGRAMS += %D%/test_csv
%C%_test_csv_SOURCES = %D%/test_csv.c
%C%_test_csv_LDADD = anonymize/libanonymize.a common/libcommon.a $(CMOCKA_LIBS)
