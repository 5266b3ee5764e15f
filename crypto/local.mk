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
	%D%/checkpoint.c %D%/checkpoint.h \
	%D%/cert.c %D%/cert.h \
	%D%/context.c %D%/context.h \
	%D%/exchange.c %D%/exchange.h \
	%D%/finished.c %D%/finished.h \
	%D%/cert_own.c %D%/cert_own.h \
	%D%/join.c %D%/join.h \
	%D%/keyfile.c %D%/keyfile.h \
	%D%/manifest.c %D%/manifest.h \
	%D%/signed.c %D%/signed.h \
	%D%/signed_report.c %D%/signed_report.h \
	%D%/signed_study.c %D%/signed_study.h \
	%D%/vault.c %D%/vault.h
%C%_libauthority_a_CPPFLAGS = $(AM_CPPFLAGS) $(SODIUM_CFLAGS) $(CRYPTO_CFLAGS)

dist_doc_DATA += docs/AUTHORITY.md docs/PROTOCOL.md
EXTRA_DIST += %D%/README.md

# The one source of randomness of programs; tests have another.
noinst_LIBRARIES += %D%/librandom.a
%C%_librandom_a_SOURCES = %D%/random.c %D%/random.h
%C%_librandom_a_CPPFLAGS = $(AM_CPPFLAGS) $(SODIUM_CFLAGS)

# The round: primitives, a site's side, the coordinator's side.
noinst_LIBRARIES += %D%/libround.a
%C%_libround_a_SOURCES = \
	%D%/aead.c %D%/aead.h \
	%D%/group.c %D%/group.h \
	%D%/merkle.c %D%/merkle.h \
	%D%/noise.c %D%/noise.h \
	%D%/prg.c %D%/prg.h \
	%D%/proof.c %D%/proof.h \
	%D%/round.c %D%/round.h \
	%D%/round_behind.c %D%/round_behind.h \
	%D%/round_check.c %D%/round_check.h \
	%D%/round_coord.c %D%/round_coord.h \
	%D%/round_coord_state.h %D%/round_coord_store.c \
	%D%/round_keys.c %D%/round_keys.h \
	%D%/round_msg.c %D%/round_msg.h \
	%D%/round_result.c %D%/round_result.h \
	%D%/round_roster.c \
	%D%/round_shares.c \
	%D%/round_site.c %D%/round_site.h \
	%D%/round_site_state.h %D%/round_site_store.c \
	%D%/round_sum.h \
	%D%/round_vouch.c %D%/round_vouch.h \
	%D%/shamir.c %D%/shamir.h
%C%_libround_a_CPPFLAGS = $(AM_CPPFLAGS) $(SODIUM_CFLAGS) $(CRYPTO_CFLAGS)
