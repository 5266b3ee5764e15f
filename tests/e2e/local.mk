# Whole runs by consilium-local.
E2E = %D%/bad-input.sh %D%/birthwt.sh %D%/breast-cancer.sh \
	%D%/glm.sh %D%/lung.sh
check_SCRIPTS += $(E2E)
EXTRA_DIST += $(E2E) %D%/README.md %D%/lib.sh %D%/birthwt.study \
	%D%/birthweight.study %D%/epil.study \
	%D%/lung.study

# A tool of bad-input.sh.
noinst_PROGRAMS += %D%/expired
%C%_expired_SOURCES = %D%/expired.c
%C%_expired_LDADD = crypto/libauthority.a crypto/libhash.a \
	common/libcommon.a $(CRYPTO_LIBS) $(SODIUM_LIBS)
