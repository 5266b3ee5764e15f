noinst_LIBRARIES += %D%/libprivsep.a
%C%_libprivsep_a_SOURCES = \
	%D%/chan.c %D%/chan.h \
	%D%/ctl_msg.c %D%/ctl_msg.h \
	%D%/landlock.c %D%/landlock.h \
	%D%/lock.c %D%/lock.h \
	%D%/loop.c %D%/loop.h \
	%D%/msg.c %D%/msg.h \
	%D%/start.c %D%/start.h
%C%_libprivsep_a_CPPFLAGS = $(AM_CPPFLAGS) $(SECCOMP_CFLAGS)

# Apart: only parents know systemd, and only they start others.
noinst_LIBRARIES += %D%/libfamily.a
%C%_libfamily_a_SOURCES = \
	%D%/family.c %D%/family.h \
	%D%/house.c %D%/house.h \
	%D%/house_board.c %D%/house_board.h \
	%D%/house_certificate.c %D%/house_certificate.h \
	%D%/spawn.c %D%/spawn.h
%C%_libfamily_a_CPPFLAGS = $(AM_CPPFLAGS) $(SYSTEMD_CFLAGS)
EXTRA_DIST += %D%/README.md

# The control socket's frames: for process control and for consiliumctl.
noinst_LIBRARIES += %D%/libctl.a
%C%_libctl_a_SOURCES = \
	%D%/ctl_client.c %D%/ctl_client.h \
	%D%/ctl_wire.c %D%/ctl_wire.h
%C%_libctl_a_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUFC_CFLAGS)
