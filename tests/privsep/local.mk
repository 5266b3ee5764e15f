check_PROGRAMS += %D%/test_chan %D%/test_ctl_msg %D%/test_lock
%C%_test_chan_SOURCES = %D%/test_chan.c
%C%_test_chan_LDADD = privsep/libprivsep.a common/libcommon.a $(CMOCKA_LIBS)
%C%_test_ctl_msg_SOURCES = %D%/test_ctl_msg.c
%C%_test_ctl_msg_LDADD = privsep/libprivsep.a common/libcommon.a $(CMOCKA_LIBS)
%C%_test_lock_SOURCES = %D%/test_lock.c
%C%_test_lock_LDADD = privsep/libprivsep.a common/libcommon.a \
	$(SECCOMP_LIBS) $(CMOCKA_LIBS)
