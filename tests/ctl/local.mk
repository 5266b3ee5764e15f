check_PROGRAMS += %D%/test_local_proc %D%/test_pooled
%C%_test_local_proc_SOURCES = %D%/test_local_proc.c
%C%_test_local_proc_LDADD = ctl/liblocal.a common/libcommon.a $(YAJL_LIBS) \
	$(CMOCKA_LIBS)
%C%_test_pooled_SOURCES = %D%/test_pooled.c
%C%_test_pooled_LDADD = \
	ctl/libpooled.a common/libcommon.a -lm $(CMOCKA_LIBS)
EXTRA_DIST += tests/reference/pooled.R tests/vectors/pooled/README.md \
	tests/vectors/pooled/lung.csv tests/vectors/pooled/birthwt.csv \
	tests/vectors/pooled/birthweight.csv tests/vectors/pooled/epil.csv \
	tests/vectors/pooled/figures.csv
check_PROGRAMS += %D%/test_result_files
%C%_test_result_files_SOURCES = %D%/test_result_files.c \
	ctl/result_files.c
%C%_test_result_files_LDADD = tests/crypto/libinside.a study/libstudy.a \
	model/libresult.a model/libstep.a crypto/libauthority.a \
	common/libcommon.a $(CRYPTO_LIBS) $(SODIUM_LIBS) $(CMOCKA_LIBS) -lm
# The daemon is the test itself: it has a ctl_call() of its own.
check_PROGRAMS += %D%/test_online
%C%_test_online_SOURCES = %D%/test_online.c \
	ctl/cmd_online.c ctl/cmd_report.c ctl/ctl.c ctl/ctl.h ctl/passphrase.c \
	ctl/report_files.h ctl/result_files.c ctl/rows.c ctl/rows.h ctl/result_files.h
%C%_test_online_LDADD = tests/crypto/libinside.a common/libjson.a study/libstudy.a \
	model/libresult.a model/libstep.a crypto/libauthority.a \
	crypto/libhash.a privsep/libprivsep.a common/libcommon.a \
	$(YAJL_LIBS) $(CRYPTO_LIBS) $(SODIUM_LIBS) $(CMOCKA_LIBS) -lm
check_PROGRAMS += %D%/test_passphrase
%C%_test_passphrase_SOURCES = %D%/test_passphrase.c ctl/passphrase.c
%C%_test_passphrase_LDADD = common/libcommon.a $(CMOCKA_LIBS)
# consiliumctl itself runs at a terminal.
check_PROGRAMS += %D%/test_init
%C%_test_init_SOURCES = %D%/test_init.c
%C%_test_init_LDADD = common/libcommon.a $(CMOCKA_LIBS)
check_PROGRAMS += %D%/test_transcript
%C%_test_transcript_SOURCES = %D%/test_transcript.c
%C%_test_transcript_LDADD = tests/crypto/libinside.a ctl/libtranscript.a \
	study/libstudy.a model/libstep.a crypto/libround.a crypto/librandom.a \
	crypto/libauthority.a crypto/libhash.a privsep/libctl.a \
	privsep/libprivsep.a proto/libproto.a common/libcommon.a \
	$(SODIUM_LIBS) $(CRYPTO_LIBS) $(PROTOBUFC_LIBS) $(CMOCKA_LIBS) -lm
check_PROGRAMS += %D%/test_local_check
%C%_test_local_check_SOURCES = %D%/test_local_check.c \
	ctl/local_check.c ctl/local_curves.c ctl/local_describe.c \
	ctl/local_learning.c ctl/local_rows.c
%C%_test_local_check_LDADD = tests/crypto/libinside.a ctl/libpooled.a \
	anonymize/libanonymize.a common/libjson.a study/libstudy.a \
	crypto/libhash.a common/libcommon.a $(YAJL_LIBS) $(CRYPTO_LIBS) \
	$(SODIUM_LIBS) $(CMOCKA_LIBS) -lm
check_SCRIPTS += %D%/offline.sh
EXTRA_DIST += %D%/offline.sh

check_SCRIPTS += %D%/refusals.sh
EXTRA_DIST += %D%/refusals.sh

check_SCRIPTS += %D%/recode.sh
EXTRA_DIST += %D%/recode.sh

check_SCRIPTS += %D%/before.sh
EXTRA_DIST += %D%/before.sh
check_PROGRAMS += %D%/test_audit_of
%C%_test_audit_of_SOURCES = %D%/test_audit_of.c
%C%_test_audit_of_LDADD = anonymize/libanonymize.a crypto/libauthority.a \
	crypto/libhash.a common/libcommon.a $(CRYPTO_LIBS) $(SODIUM_LIBS) \
	$(CMOCKA_LIBS)
EXTRA_%C%_test_audit_of_DEPENDENCIES = ctl/consiliumctl
check_PROGRAMS += %D%/test_audit_export
%C%_test_audit_export_SOURCES = %D%/test_audit_export.c
%C%_test_audit_export_LDADD = common/libjson.a crypto/libauthority.a \
	crypto/libhash.a common/libcommon.a $(YAJL_LIBS) $(CRYPTO_LIBS) \
	$(SODIUM_LIBS) $(CMOCKA_LIBS)
EXTRA_%C%_test_audit_export_DEPENDENCIES = ctl/consiliumctl
# All commands but the program's own main(); the daemon is the test itself.
check_PROGRAMS += %D%/test_ctl_faults
%C%_test_ctl_faults_SOURCES = %D%/test_ctl_faults.c \
	ctl/cmd_audit.c ctl/cmd_audit_of.c ctl/cmd_certificates.c \
	ctl/cmd_enrol.c ctl/cmd_feasibility.c ctl/cmd_recode.c \
	ctl/cmd_renew.c ctl/cmd_sign.c ctl/cmd_study.c ctl/ctl.c \
	ctl/members.c ctl/passphrase.c ctl/rootkey.c ctl/rows.c \
	ctl/study_collinear.c ctl/study_edit.c ctl/study_findings.c
%C%_test_ctl_faults_LDADD = tests/crypto/libinside.a \
	anonymize/libanonymize.a common/libjson.a study/libstudy.a \
	model/libresult.a model/libstep.a crypto/libround.a crypto/librandom.a \
	crypto/libauthority.a crypto/libhash.a common/libcommon.a \
	$(YAJL_LIBS) $(CRYPTO_LIBS) $(SODIUM_LIBS) $(CMOCKA_LIBS) -lm
