check_PROGRAMS += %D%/test_isolation
%C%_test_isolation_SOURCES = %D%/test_isolation.c %D%/attempts.c %D%/attempts.h
%C%_test_isolation_LDADD = privsep/libprivsep.a common/libcommon.a \
	$(SECCOMP_LIBS) $(CMOCKA_LIBS)
EXTRA_%C%_test_isolation_DEPENDENCIES = %D%/order.so daemon/gate \
	daemon/uplink daemon/control daemon/reader daemon/trainer board/board \
	coordinator/listener coordinator/rounds
# What has each program try, in place of its first message.
noinst_PROGRAMS += %D%/order.so
%C%_order_so_SOURCES = %D%/order.c %D%/attempts.c %D%/attempts.h
%C%_order_so_CFLAGS = -std=gnu17 $(WARN_CFLAGS) -fPIC
%C%_order_so_LDFLAGS = -shared
check_SCRIPTS += %D%/links.sh
EXTRA_DIST += %D%/links.sh
