check_PROGRAMS += %D%/test_snapshot
%C%_test_snapshot_SOURCES = %D%/test_snapshot.c
%C%_test_snapshot_LDADD = board/libsnapshot.a privsep/libprivsep.a \
	common/libcommon.a $(CMOCKA_LIBS)

# The process as it is; the test is its parent.
check_PROGRAMS += %D%/test_board
%C%_test_board_SOURCES = %D%/test_board.c \
	%D%/openmetrics.c %D%/openmetrics.h
%C%_test_board_LDADD = board/libsnapshot.a privsep/libfamily.a \
	privsep/libprivsep.a common/libcommon.a \
	$(SECCOMP_LIBS) $(SYSTEMD_LIBS) $(CMOCKA_LIBS)
EXTRA_%C%_test_board_DEPENDENCIES = board/board
