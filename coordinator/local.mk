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
