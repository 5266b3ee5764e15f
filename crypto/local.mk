# crypto

# For anybody: who has no keys links nothing else of this folder.
noinst_LIBRARIES += %D%/libhash.a
%C%_libhash_a_SOURCES = %D%/hash.c %D%/hash.h
%C%_libhash_a_CPPFLAGS = $(AM_CPPFLAGS) $(SODIUM_CFLAGS)

# Who may decide, and what was decided: keys, manifest, study, approval,
# certificates, audit log.
noinst_LIBRARIES += %D%/libauthority.a
%C%_libauthority_a_SOURCES = \
	%D%/approval.c %D%/approval.h \
	%D%/audit.c %D%/audit.h \
	%D%/cert.c %D%/cert.h \
	%D%/exchange.c %D%/exchange.h \
	%D%/finished.c %D%/finished.h \
	%D%/cert_own.c %D%/cert_own.h \
	%D%/join.c %D%/join.h \
	%D%/keyfile.c %D%/keyfile.h \
	%D%/manifest.c %D%/manifest.h \
	%D%/signed.c %D%/signed.h \
	%D%/signed_study.c %D%/signed_study.h \
	%D%/vault.c %D%/vault.h
%C%_libauthority_a_CPPFLAGS = $(AM_CPPFLAGS) $(SODIUM_CFLAGS) $(CRYPTO_CFLAGS)

dist_doc_DATA += docs/AUTHORITY.md
