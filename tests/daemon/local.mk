check_PROGRAMS += %D%/test_backoff
%C%_test_backoff_SOURCES = %D%/test_backoff.c
%C%_test_backoff_LDADD = daemon/libbackoff.a $(CMOCKA_LIBS)

check_PROGRAMS += %D%/test_config
%C%_test_config_SOURCES = %D%/test_config.c
%C%_test_config_LDADD = daemon/libsiteconfig.a study/libstudy.a \
	common/libcommon.a $(CMOCKA_LIBS)

check_PROGRAMS += %D%/test_train
%C%_test_train_SOURCES = %D%/test_train.c tests/study/small.h
%C%_test_train_LDADD = daemon/libtrain.a model/libmodel.a model/libstep.a \
	study/libstudy.a crypto/libhash.a privsep/libfamily.a privsep/libprivsep.a \
	common/libcommon.a \
	$(BLAS_LIBS) $(SODIUM_LIBS) $(SECCOMP_LIBS) $(CMOCKA_LIBS) -lm

check_PROGRAMS += %D%/test_reader
%C%_test_reader_SOURCES = %D%/test_reader.c
%C%_test_reader_LDADD = anonymize/libanonymize.a privsep/libfamily.a \
	privsep/libprivsep.a \
	study/libstudy.a \
	crypto/libhash.a common/libcommon.a \
	$(SODIUM_LIBS) $(SECCOMP_LIBS) $(SYSTEMD_LIBS) $(CMOCKA_LIBS) -lm

check_PROGRAMS += %D%/test_control
%C%_test_control_SOURCES = %D%/test_control.c tests/faults/child.c \
	tests/faults/child.h
%C%_test_control_LDADD = privsep/libctl.a privsep/libfamily.a \
	privsep/libprivsep.a proto/libproto.a common/libcommon.a \
	$(PROTOBUFC_LIBS) $(SECCOMP_LIBS) $(SYSTEMD_LIBS) $(CMOCKA_LIBS)
EXTRA_%C%_test_control_DEPENDENCIES = daemon/control

check_PROGRAMS += %D%/test_store
EXTRA_DIST += tests/vectors/schema/gate-1.sql tests/vectors/schema/rounds-1.sql
%C%_test_store_SOURCES = %D%/test_store.c tests/common/raw_db.h
%C%_test_store_LDADD = daemon/libstore.a crypto/libauthority.a \
	crypto/libhash.a common/libdb.a common/libcommon.a $(SQLITE_LIBS) \
	$(SODIUM_LIBS) $(CRYPTO_LIBS) $(CMOCKA_LIBS)
