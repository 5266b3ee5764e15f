/*
 * The membership manifest: who belongs to a consortium, with which keys, and
 * the policy below which no study may go.  The consortium's root signs it; a
 * daemon takes a new one only if its epoch is higher.
 *
 * A root may hand over to another: it signs the next one's key.  A manifest
 * carries all changes from the first root on, and is the last one's; whoever
 * pins any of them can check the rest.  The consortium's id stays that of the
 * first.
 *
 * Strict: sites in increasing order of id, all ids, names, identity keys and
 * TLS keys distinct (the coordinator's too), every field in its bounds.
 */
#ifndef CRYPTO_MANIFEST_H
#define CRYPTO_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/keyfile.h"

struct audit;
struct canon;
struct canon_in;
struct err;

#define MANIFEST_TYPE "manifest"
#define MANIFEST_SITES_MAX 1024
#define MANIFEST_NAME_MAX 32 /* bytes, [a-z0-9-] */
#define MANIFEST_ID 32 /* SHA-256 */
#define MANIFEST_MAX (256 * 1024) /* bytes of the signed object */
#define MANIFEST_PPM 1000000

struct manifest_policy {
	uint16_t corrupted; /* c: corrupted sites tolerated, >= 1 */
	uint16_t honest_min; /* h_min: honest inputs in a sum, >= 2 */
	uint32_t u_frac_ppm; /* fewest inputs as a share of the roster */
	uint32_t suites; /* bit s - 1: suite s is allowed */
	uint64_t weight_cap; /* W: largest weight (rows) of one site */
};

struct manifest_member {
	char name[MANIFEST_NAME_MAX + 1];
	uint8_t key[KEY_PUBLIC]; /* identity, Ed25519 */
	uint8_t tls[MANIFEST_ID]; /* SHA-256 of the SubjectPublicKeyInfo */
};

struct manifest_site {
	uint16_t id; /* >= 1 */
	bool active; /* or revoked */
	struct manifest_member member;
};

/* A root signs the next one. */
struct manifest_change {
	uint8_t next[KEY_PUBLIC];
	uint32_t epoch; /* the first that the next one signs */
	uint8_t sig[KEY_SIGNATURE]; /* by the one before */
};

#define MANIFEST_CHANGES_MAX 16

struct manifest_roots {
	uint8_t first[KEY_PUBLIC];
	struct manifest_change changes[MANIFEST_CHANGES_MAX];
	size_t n; /* changes */
};

struct manifest {
	struct manifest_roots roots; /* n 0: the one that signs, alone */
	char consortium[MANIFEST_NAME_MAX + 1];
	uint8_t consortium_id[MANIFEST_ID];
	uint32_t epoch; /* >= 1 */
	struct manifest_policy policy;
	struct manifest_member coordinator;
	struct manifest_site *sites; /* (n_sites) by id */
	size_t n_sites;
	uint8_t digest[MANIFEST_ID]; /* of the signed object; on reading */
};

/* What a manifest has where nobody said otherwise. */
struct manifest_policy manifest_policy_default(void);

/* SHA-256 over the label "consilium-1/consortium", the name and the root's
   public key. */
void manifest_consortium_id(
    const char *name, const uint8_t root[KEY_PUBLIC], uint8_t out[MANIFEST_ID]);

/* 0, or -1 with ERR_CONFIG: what names something may be made of. */
int manifest_name_check(const char *what, const char *name, struct err *err);

/* The root that signs now, or at place k from the first (0 to n). */
const uint8_t *manifest_root(const struct manifest_roots *r);
const uint8_t *manifest_root_at(const struct manifest_roots *r, size_t k);
/* Have old, which signs now, hand over to next; next signs from epoch on. */
int manifest_change_root(struct manifest_roots *r, const char *consortium,
    const struct key *old, const uint8_t next[KEY_PUBLIC], uint32_t epoch,
    struct err *err);
/* 0 if roots of now are those of before, or go on from them; ERR_REFUSED if
   now ends at a root that has handed over, or at another than it has to. */
int manifest_roots_follow(const struct manifest_roots *before,
    const struct manifest_roots *now, struct err *err);
/* 0 if now may take the place of before (NULL: there is none): of the same
   consortium and of a later epoch, by roots that go on; else ERR_REFUSED. */
int manifest_follows(
    const struct manifest *before, const struct manifest *now, struct err *err);
/* The lines of the audit log for that: one more if the root has handed over,
   and then the root now is put out as text; else "". */
int manifest_audit(const struct manifest *before, const struct manifest *now,
    struct audit *a, char root[KEY_PUBLIC_TEXT], struct err *err);

void manifest_roots_put(struct canon *out, const struct manifest_roots *r);
void manifest_roots_get(struct canon_in *in, struct manifest_roots *r);

/* Sign m and append the object to out.  consortium_id is filled in, and roots
   if it is all zeros: root is the first. */
int manifest_sign(struct manifest *m, const struct key *root, struct canon *out,
    struct err *err);

/* A manifest that root signed, or one that it handed over to or that handed over
   to it, each of which signed the next; nothing else.  The caller frees it. */
struct manifest *manifest_open(const void *object, size_t len,
    const uint8_t root[KEY_PUBLIC], struct err *err);
/* The same of any of roots: one that was taken before the root changed. */
struct manifest *manifest_open_kept(const void *object, size_t len,
    const struct manifest_roots *roots, struct err *err);
/* One that was taken before, whichever of its roots was pinned then. */
struct manifest *manifest_open_own(
    const void *object, size_t len, struct err *err);
void manifest_free(struct manifest *m); /* NULL is fine */
/* The epoch that an object says it is of, with nothing checked. */
int manifest_peek_epoch(
    const void *object, size_t len, uint32_t *epoch, struct err *err);

/* NULL if there is none, whether active or not. */
size_t manifest_n_active(const struct manifest *m);
const struct manifest_site *manifest_by_id(
    const struct manifest *m, uint16_t id);
const struct manifest_site *manifest_by_name(
    const struct manifest *m, const char *name);
const struct manifest_site *manifest_by_tls(
    const struct manifest *m, const uint8_t tls[MANIFEST_ID]);

#endif
