# Whole runs by consilium-local.
E2E = %D%/again.sh %D%/bad-input.sh %D%/birthwt.sh %D%/breast-cancer.sh \
	%D%/cox.sh %D%/cuminc.sh \
	%D%/formula.sh %D%/glm.sh %D%/km.sh %D%/learning.sh %D%/lung.sh %D%/robust.sh \
	%D%/recoding.sh %D%/renewal.sh %D%/replay.sh %D%/subjects.sh \
	%D%/summary.sh
check_SCRIPTS += $(E2E)
EXTRA_DIST += $(E2E) %D%/README.md %D%/lib.sh %D%/birthwt.study \
	%D%/birthweight.study %D%/epil.study %D%/learning.study %D%/lung-sex.study %D%/pbc.study \
	%D%/cgd.study %D%/lung.study %D%/visits.study

# What a test that failed has left.
clean-local: clean-e2e
clean-e2e:
	rm -rf %D%/*.tmp
.PHONY: clean-e2e

# A tool of bad-input.sh.
noinst_PROGRAMS += %D%/expired
%C%_expired_SOURCES = %D%/expired.c
%C%_expired_LDADD = crypto/libauthority.a crypto/libhash.a \
	common/libcommon.a $(CRYPTO_LIBS) $(SODIUM_LIBS)

# A tool of replay.sh.
noinst_PROGRAMS += %D%/flip
%C%_flip_SOURCES = %D%/flip.c
%C%_flip_LDADD = ctl/libtranscript.a study/libstudy.a model/libstep.a \
	crypto/libround.a crypto/librandom.a crypto/libauthority.a \
	crypto/libhash.a privsep/libctl.a privsep/libprivsep.a \
	proto/libproto.a common/libcommon.a $(SODIUM_LIBS) $(CRYPTO_LIBS) \
	$(PROTOBUFC_LIBS) -lm
