noinst_LIBRARIES += %D%/libprivsep.a
%C%_libprivsep_a_SOURCES = \
	%D%/chan.c %D%/chan.h \
	%D%/ctl_msg.c %D%/ctl_msg.h \
	%D%/lock.c %D%/lock.h \
	%D%/loop.c %D%/loop.h \
	%D%/msg.c %D%/msg.h \
	%D%/spawn.c %D%/spawn.h \
	%D%/start.c %D%/start.h
%C%_libprivsep_a_CPPFLAGS = $(AM_CPPFLAGS) $(SECCOMP_CFLAGS)
EXTRA_DIST += %D%/README.md
