check_PROGRAMS += %D%/test_snapshot
%C%_test_snapshot_SOURCES = %D%/test_snapshot.c
%C%_test_snapshot_LDADD = board/libsnapshot.a privsep/libprivsep.a \
	common/libcommon.a $(CMOCKA_LIBS)
