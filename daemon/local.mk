# daemon
noinst_LIBRARIES += %D%/libsiteconfig.a
%C%_libsiteconfig_a_SOURCES = %D%/config.c %D%/config.h

noinst_LIBRARIES += %D%/libtrain.a
%C%_libtrain_a_SOURCES = %D%/train.c %D%/train.h

# The only program of a hospital that links BLAS; it links no key and no wire.
pkglibexec_PROGRAMS += %D%/trainer
%C%_trainer_SOURCES = %D%/trainer.c
%C%_trainer_LDADD = daemon/libtrain.a model/libmodel.a model/libstep.a \
	study/libstudy.a crypto/libhash.a privsep/libprivsep.a \
	common/libcommon.a $(BLAS_LIBS) $(SODIUM_LIBS) $(SECCOMP_LIBS) -lm

# The only one that sees patient rows.
pkglibexec_PROGRAMS += %D%/reader
%C%_reader_SOURCES = %D%/reader.c
%C%_reader_LDADD = anonymize/libanonymize.a study/libstudy.a \
	crypto/libhash.a privsep/libprivsep.a common/libjson.a \
	common/libcommon.a $(YAJL_LIBS) $(SODIUM_LIBS) $(SECCOMP_LIBS) $(SYSTEMD_LIBS) -lm

# The parent: it links no process's work, but what reads a source's header (-n).
sbin_PROGRAMS += %D%/consiliumd
%C%_consiliumd_SOURCES = %D%/consiliumd.c
%C%_consiliumd_LDADD = %D%/libsiteconfig.a anonymize/libanonymize.a privsep/libfamily.a \
	privsep/libprivsep.a study/libstudy.a crypto/libauthority.a \
	crypto/libhash.a common/libcommon.a \
	$(SYSTEMD_LIBS) $(CRYPTO_LIBS) $(SODIUM_LIBS)

# What the gate keeps; apart, for its test.
noinst_LIBRARIES += %D%/libstore.a
%C%_libstore_a_SOURCES = %D%/store.c %D%/store.h
%C%_libstore_a_CPPFLAGS = $(AM_CPPFLAGS) $(SODIUM_CFLAGS)

# On both sides.
pkglibexec_PROGRAMS += %D%/control
%C%_control_SOURCES = %D%/control.c
%C%_control_LDADD = privsep/libctl.a privsep/libprivsep.a proto/libproto.a \
	common/libcommon.a $(PROTOBUFC_LIBS) $(SECCOMP_LIBS)

# How long the uplink waits; apart, for its test.
noinst_LIBRARIES += %D%/libbackoff.a
%C%_libbackoff_a_SOURCES = %D%/backoff.c %D%/backoff.h

# The only one of a hospital that links gRPC; it has the TLS key alone.
pkglibexec_PROGRAMS += %D%/uplink
%C%_uplink_SOURCES = %D%/uplink.c
%C%_uplink_LDADD = %D%/libbackoff.a %D%/libsiteconfig.a rpc/librpcprocess.a rpc/librpc.a \
	proto/libproto.a privsep/libprivsep.a study/libstudy.a \
	crypto/libauthority.a crypto/libhash.a common/libcommon.a \
	$(PROTOBUFC_LIBS) $(GRPC_LIBS) $(SECCOMP_LIBS) $(CRYPTO_LIBS) \
	$(SODIUM_LIBS)

# The only one with the identity key; it links no BLAS and no wire.
pkglibexec_PROGRAMS += %D%/gate
%C%_gate_SOURCES = %D%/gate.c %D%/gate.h %D%/gate_checkpoint.c \
	%D%/gate_control.c %D%/gate_counter.c %D%/gate_jobs.c \
	%D%/gate_learning.c %D%/gate_manifest.c %D%/gate_results.c \
	%D%/gate_retention.c %D%/gate_returns.c %D%/gate_rounds.c %D%/gate_run.c %D%/gate_run.h \
	%D%/gate_send.c %D%/gate_studies.c %D%/gate_training.c
%C%_gate_LDADD = board/libsnapshot.a %D%/libstore.a %D%/libsiteconfig.a model/libstep.a \
	study/libstudy.a crypto/libround.a crypto/librandom.a crypto/libauthority.a \
	crypto/libhash.a privsep/libprivsep.a common/libdb.a \
	common/libcommon.a $(SQLITE_LIBS) $(SODIUM_LIBS) $(CRYPTO_LIBS) \
	$(SECCOMP_LIBS) $(SYSTEMD_LIBS)
