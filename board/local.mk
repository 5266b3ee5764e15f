# What gate and rounds write, and the board reads.
noinst_LIBRARIES += %D%/libsnapshot.a
%C%_libsnapshot_a_SOURCES = %D%/snapshot.c %D%/snapshot.h

noinst_LIBRARIES += %D%/libboard.a
%C%_libboard_a_SOURCES = \
	%D%/metrics.c %D%/metrics.h \
	%D%/page.c %D%/page.h \
	%D%/view.c %D%/view.h

# The same program on both sides; the only one that links an HTTP server.
pkglibexec_PROGRAMS += %D%/board
%C%_board_SOURCES = %D%/board.c
%C%_board_CPPFLAGS = $(AM_CPPFLAGS) $(MICROHTTPD_CFLAGS)
%C%_board_LDADD = board/libboard.a board/libsnapshot.a \
	privsep/libprivsep.a common/libcommon.a \
	$(MICROHTTPD_LIBS) $(SECCOMP_LIBS) $(SYSTEMD_LIBS)
EXTRA_DIST += %D%/README.md
