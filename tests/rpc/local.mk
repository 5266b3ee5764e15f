check_PROGRAMS += %D%/test_envelope %D%/test_rpc
%C%_test_envelope_SOURCES = %D%/test_envelope.c
%C%_test_envelope_LDADD = tests/crypto/libinside.a rpc/librpc.a \
	proto/libproto.a common/libcommon.a $(PROTOBUFC_LIBS) $(CRYPTO_LIBS) \
	$(SODIUM_LIBS) $(CMOCKA_LIBS)
%C%_test_rpc_SOURCES = %D%/test_rpc.c %D%/certs.c %D%/certs.h
%C%_test_rpc_LDADD = rpc/librpc.a proto/libproto.a crypto/libauthority.a \
	common/libcommon.a $(PROTOBUFC_LIBS) $(GRPC_LIBS) $(SSL_LIBS) \
	$(CRYPTO_LIBS) $(SODIUM_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += %D%/test_door
%C%_test_door_SOURCES = %D%/test_door.c %D%/certs.c %D%/certs.h
%C%_test_door_LDADD = rpc/librpc.a proto/libproto.a crypto/libauthority.a \
	common/libcommon.a $(PROTOBUFC_LIBS) $(GRPC_LIBS) $(SSL_LIBS) \
	$(CRYPTO_LIBS) $(SODIUM_LIBS) $(CMOCKA_LIBS)

# Both executables, with this test for all their neighbours.
check_PROGRAMS += %D%/test_processes
%C%_test_processes_SOURCES = %D%/test_processes.c %D%/certs.c %D%/certs.h
%C%_test_processes_LDADD = privsep/libfamily.a privsep/libprivsep.a \
	crypto/libauthority.a common/libcommon.a $(SECCOMP_LIBS) \
	$(CRYPTO_LIBS) $(SODIUM_LIBS) $(CMOCKA_LIBS)
EXTRA_%C%_test_processes_DEPENDENCIES = %D%/newer
noinst_PROGRAMS += %D%/newer
%C%_newer_SOURCES = %D%/newer.c
%C%_newer_LDADD = rpc/librpc.a proto/libproto.a common/libcommon.a \
	$(PROTOBUFC_LIBS) $(GRPC_LIBS) $(CRYPTO_LIBS) $(SODIUM_LIBS)
