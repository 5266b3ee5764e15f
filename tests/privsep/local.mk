check_PROGRAMS += %D%/test_chan %D%/test_ctl_msg %D%/test_lock %D%/test_loop
%C%_test_chan_SOURCES = %D%/test_chan.c
%C%_test_chan_LDADD = privsep/libprivsep.a common/libcommon.a $(CMOCKA_LIBS)
%C%_test_ctl_msg_SOURCES = %D%/test_ctl_msg.c
%C%_test_ctl_msg_LDADD = privsep/libprivsep.a common/libcommon.a $(CMOCKA_LIBS)
%C%_test_loop_SOURCES = %D%/test_loop.c
%C%_test_loop_LDADD = privsep/libprivsep.a common/libcommon.a $(CMOCKA_LIBS)
%C%_test_lock_SOURCES = %D%/test_lock.c
%C%_test_lock_LDADD = privsep/libprivsep.a common/libcommon.a \
	$(SECCOMP_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += %D%/test_ctl_client
%C%_test_ctl_client_SOURCES = %D%/test_ctl_client.c
%C%_test_ctl_client_LDADD = privsep/libctl.a privsep/libprivsep.a \
	proto/libproto.a common/libcommon.a $(PROTOBUFC_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += %D%/test_msg_faults
%C%_test_msg_faults_SOURCES = %D%/test_msg_faults.c
%C%_test_msg_faults_LDADD = tests/crypto/libinside.a privsep/libctl.a \
	privsep/libprivsep.a proto/libproto.a common/libcommon.a \
	$(PROTOBUFC_LIBS) $(CRYPTO_LIBS) $(SODIUM_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += %D%/test_house
%C%_test_house_SOURCES = %D%/test_house.c
%C%_test_house_LDADD = privsep/libfamily.a privsep/libprivsep.a \
	crypto/libauthority.a crypto/libhash.a common/libcommon.a \
	$(SECCOMP_LIBS) $(SYSTEMD_LIBS) $(CRYPTO_LIBS) $(SODIUM_LIBS) \
	$(CMOCKA_LIBS)

check_PROGRAMS += %D%/test_start
%C%_test_start_SOURCES = %D%/test_start.c
%C%_test_start_LDADD = privsep/libfamily.a privsep/libprivsep.a \
	common/libcommon.a $(SECCOMP_LIBS) $(SYSTEMD_LIBS) $(CMOCKA_LIBS)
EXTRA_%C%_test_start_DEPENDENCIES = daemon/control

# The parent as it is, and doubles for the processes that it starts.
check_PROGRAMS += %D%/test_parents
%C%_test_parents_SOURCES = %D%/test_parents.c %D%/parent.c %D%/parent.h
%C%_test_parents_LDADD = privsep/libctl.a privsep/libprivsep.a \
	proto/libproto.a crypto/libauthority.a common/libcommon.a \
	$(PROTOBUFC_LIBS) $(CRYPTO_LIBS) $(SODIUM_LIBS) $(CMOCKA_LIBS)
EXTRA_%C%_test_parents_DEPENDENCIES = \
	%D%/double %D%/kernel.so daemon/consiliumd daemon/control board/board \
	coordinator/consilium-coordinator
noinst_PROGRAMS += %D%/double
%C%_double_SOURCES = %D%/double.c
%C%_double_LDADD = privsep/libprivsep.a common/libcommon.a $(SECCOMP_LIBS)
noinst_PROGRAMS += %D%/kernel.so
%C%_kernel_so_SOURCES = %D%/kernel.c
%C%_kernel_so_CFLAGS = -std=gnu17 $(WARN_CFLAGS) -fPIC
%C%_kernel_so_LDFLAGS = -shared
