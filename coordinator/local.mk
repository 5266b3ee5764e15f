# coordinator
noinst_LIBRARIES += %D%/libcoordconfig.a
%C%_libcoordconfig_a_SOURCES = %D%/config.c %D%/config.h

# The parent: it links no process's work.
sbin_PROGRAMS += %D%/consilium-coordinator
%C%_consilium_coordinator_SOURCES = %D%/consilium-coordinator.c
%C%_consilium_coordinator_LDADD = %D%/libcoordconfig.a privsep/libfamily.a \
	privsep/libprivsep.a crypto/libauthority.a common/libcommon.a \
	$(SYSTEMD_LIBS) $(CRYPTO_LIBS) $(SODIUM_LIBS)

# What the coordinator keeps; apart, for its test.
noinst_LIBRARIES += %D%/libbook.a
%C%_libbook_a_SOURCES = %D%/book.c %D%/book.h

# The only one of a coordinator that links gRPC.
pkglibexec_PROGRAMS += %D%/listener
%C%_listener_SOURCES = %D%/listener.c
%C%_listener_LDADD = %D%/libcoordconfig.a rpc/librpcprocess.a rpc/librpc.a \
	proto/libproto.a privsep/libprivsep.a crypto/libauthority.a \
	common/libcommon.a $(PROTOBUFC_LIBS) $(GRPC_LIBS) $(SECCOMP_LIBS) \
	$(CRYPTO_LIBS) $(SODIUM_LIBS)

# Masked vectors and sums: the round's other side.  No network, no BLAS.
pkglibexec_PROGRAMS += %D%/rounds
%C%_rounds_SOURCES = %D%/rounds.c %D%/rounds.h %D%/rounds_phases.c \
	%D%/rounds_returns.c %D%/rounds_spool.c %D%/rounds_studies.c \
	%D%/rounds_transcript.c %D%/rounds_vouch.c
%C%_rounds_LDADD = board/libsnapshot.a %D%/libbook.a model/libstep.a study/libstudy.a \
	crypto/libround.a crypto/librandom.a crypto/libauthority.a crypto/libhash.a \
	privsep/libprivsep.a common/libdb.a common/libcommon.a \
	$(SQLITE_LIBS) $(SODIUM_LIBS) $(CRYPTO_LIBS) $(SECCOMP_LIBS) \
	$(SYSTEMD_LIBS)
