# rpc
noinst_LIBRARIES += %D%/librpc.a
%C%_librpc_a_SOURCES = \
	%D%/client.c %D%/client.h \
	%D%/core.c %D%/core.h \
	%D%/door.c %D%/door.h \
	%D%/envelope.c %D%/envelope.h \
	%D%/loop.c %D%/loop.h \
	%D%/msg.c %D%/msg.h \
	%D%/server.c %D%/server.h
%C%_librpc_a_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUFC_CFLAGS)

EXTRA_DIST += %D%/README.md

# For processes: what talks to their parent, too.
noinst_LIBRARIES += %D%/librpcprocess.a
%C%_librpcprocess_a_SOURCES = %D%/process.c %D%/process.h
