check_DATA += %D%/flood
EXTRA_PROGRAMS += %D%/flood
%C%_flood_SOURCES = %D%/flood.c
%C%_flood_LDADD = rpc/librpc.a privsep/libctl.a privsep/libprivsep.a \
	proto/libproto.a common/libcommon.a $(PROTOBUFC_LIBS) $(GRPC_LIBS)
check_SCRIPTS += %D%/flood.sh
EXTRA_DIST += %D%/flood.sh
CLEANFILES += %D%/flood
