# The independent check: linked by nobody but consilium-local and its test.
noinst_LIBRARIES += %D%/libpooled.a %D%/liblocal.a
%C%_libpooled_a_SOURCES = \
	%D%/pooled.c %D%/pooled.h \
	%D%/pooled_curves.c \
	%D%/pooled_describe.c \
	%D%/pooled_fit.c \
	%D%/pooled_gray.c \
	%D%/pooled_grid.c \
	%D%/pooled_learn.c \
	%D%/pooled_likelihood.c %D%/pooled_likelihood.h \
	%D%/pooled_parts.c %D%/pooled_parts.h \
	%D%/pooled_robust.c

%C%_liblocal_a_SOURCES = \
	%D%/local_proc.c %D%/local_proc.h

# An outsider's part; apart, for its test against real rounds.
noinst_LIBRARIES += %D%/libtranscript.a
%C%_libtranscript_a_SOURCES = \
	%D%/transcript.c %D%/transcript.h

bin_PROGRAMS += %D%/consiliumctl
%C%_consiliumctl_SOURCES = \
	%D%/cmd_audit.c \
	%D%/cmd_audit_of.c \
	%D%/cmd_certificates.c \
	%D%/cmd_enrol.c \
	%D%/cmd_feasibility.c \
	%D%/cmd_online.c \
	%D%/cmd_renew.c \
	%D%/cmd_report.c %D%/report_files.h \
	%D%/cmd_sign.c \
	%D%/cmd_recode.c \
	%D%/cmd_study.c \
	%D%/cmd_transcript.c \
	%D%/consiliumctl.c \
	%D%/ctl.c %D%/ctl.h \
	%D%/members.c %D%/members.h \
	%D%/study_collinear.c %D%/study_collinear.h \
	%D%/passphrase.c %D%/passphrase.h \
	%D%/result_files.c %D%/result_files.h \
	%D%/rootkey.c %D%/rootkey.h \
	%D%/rows.c %D%/rows.h \
	%D%/study_edit.c %D%/study_edit.h \
	%D%/study_findings.c %D%/study_findings.h
%C%_consiliumctl_LDADD = %D%/libtranscript.a anonymize/libanonymize.a common/libjson.a \
	study/libstudy.a model/libresult.a model/libstep.a \
	crypto/libround.a crypto/librandom.a crypto/libauthority.a \
	crypto/libhash.a privsep/libctl.a \
	privsep/libprivsep.a proto/libproto.a common/libcommon.a \
	$(YAJL_LIBS) $(SODIUM_LIBS) $(CRYPTO_LIBS) $(PROTOBUFC_LIBS) -lm
EXTRA_DIST += %D%/README.md

bin_PROGRAMS += %D%/consilium-local
%C%_consilium_local_SOURCES = \
	%D%/consilium-local.c %D%/local.h \
	%D%/local_check.c %D%/local_check.h \
	%D%/local_curves.c \
	%D%/local_describe.c \
	%D%/local_learning.c \
	%D%/local_rows.c \
	%D%/local_run.c \
	%D%/local_setup.c
%C%_consilium_local_LDADD = \
	%D%/liblocal.a %D%/libpooled.a anonymize/libanonymize.a \
	common/libjson.a study/libstudy.a crypto/libhash.a common/libcommon.a \
	$(YAJL_LIBS) $(SODIUM_LIBS) -lm
