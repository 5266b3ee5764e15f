check_PROGRAMS += %D%/test_config
%C%_test_config_SOURCES = %D%/test_config.c
%C%_test_config_LDADD = coordinator/libcoordconfig.a common/libcommon.a \
	$(CMOCKA_LIBS)
