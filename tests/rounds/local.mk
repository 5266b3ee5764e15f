# Real gates and real rounds, and all between them in the test's hands.
check_LIBRARIES += %D%/libharness.a
%C%_libharness_a_SOURCES = %D%/harness.c %D%/harness.h \
	tests/faults/fault.c tests/faults/fault.h \
	tests/faults/power.c tests/faults/power.h \
	tests/faults/sweep.c tests/faults/sweep.h
%C%_libharness_a_CPPFLAGS = $(AM_CPPFLAGS) $(SODIUM_CFLAGS) $(CMOCKA_CFLAGS)
harness_libs = tests/rounds/libharness.a \
	daemon/libtrain.a model/libmodel.a \
	model/libstep.a study/libstudy.a crypto/libround.a \
	crypto/librandom.a crypto/libauthority.a \
	crypto/libhash.a privsep/libfamily.a privsep/libprivsep.a \
	common/libcommon.a $(BLAS_LIBS) $(SODIUM_LIBS) $(CRYPTO_LIBS) \
	$(SECCOMP_LIBS) $(SYSTEMD_LIBS) $(CMOCKA_LIBS) -lm

check_PROGRAMS += %D%/test_consortium
%C%_test_consortium_SOURCES = %D%/test_consortium.c
%C%_test_consortium_LDADD = $(harness_libs)
check_PROGRAMS += %D%/test_control
%C%_test_control_SOURCES = %D%/test_control.c
%C%_test_control_LDADD = $(harness_libs)
check_PROGRAMS += %D%/test_jobs %D%/test_offers
%C%_test_jobs_SOURCES = %D%/test_jobs.c
%C%_test_jobs_LDADD = $(harness_libs)
%C%_test_offers_SOURCES = %D%/test_offers.c
%C%_test_offers_LDADD = $(harness_libs)
check_PROGRAMS += %D%/test_options
%C%_test_options_SOURCES = %D%/test_options.c
%C%_test_options_LDADD = $(harness_libs)
check_PROGRAMS += %D%/test_epochs
%C%_test_epochs_SOURCES = %D%/test_epochs.c
%C%_test_epochs_LDADD = $(harness_libs)
check_PROGRAMS += %D%/test_restored
%C%_test_restored_SOURCES = %D%/test_restored.c
%C%_test_restored_LDADD = $(harness_libs)
check_PROGRAMS += %D%/test_lost_uploads
%C%_test_lost_uploads_SOURCES = %D%/test_lost_uploads.c
%C%_test_lost_uploads_LDADD = $(harness_libs)
check_PROGRAMS += %D%/test_vouched
%C%_test_vouched_SOURCES = %D%/test_vouched.c
%C%_test_vouched_LDADD = $(harness_libs)
check_PROGRAMS += %D%/test_secrets
%C%_test_secrets_SOURCES = %D%/test_secrets.c
%C%_test_secrets_LDADD = daemon/libstore.a $(harness_libs) common/libdb.a \
	common/libcommon.a $(SQLITE_LIBS)
check_PROGRAMS += %D%/test_renew
%C%_test_renew_SOURCES = %D%/test_renew.c
%C%_test_renew_LDADD = $(harness_libs)
check_PROGRAMS += %D%/test_requests
%C%_test_requests_SOURCES = %D%/test_requests.c
%C%_test_requests_LDADD = $(harness_libs)
check_PROGRAMS += %D%/test_shown
%C%_test_shown_SOURCES = %D%/test_shown.c board/view.c
%C%_test_shown_LDADD = board/libsnapshot.a $(harness_libs)
check_PROGRAMS += %D%/test_mistakes
%C%_test_mistakes_SOURCES = %D%/test_mistakes.c
%C%_test_mistakes_LDADD = board/libsnapshot.a $(harness_libs)
check_PROGRAMS += %D%/test_beside
%C%_test_beside_SOURCES = %D%/test_beside.c
%C%_test_beside_LDADD = board/libsnapshot.a $(harness_libs)
check_PROGRAMS += %D%/test_learning
%C%_test_learning_SOURCES = %D%/test_learning.c
%C%_test_learning_LDADD = $(harness_libs)
check_PROGRAMS += %D%/test_behind
%C%_test_behind_SOURCES = %D%/test_behind.c
%C%_test_behind_LDADD = tests/abuse/libforge.a $(harness_libs)
