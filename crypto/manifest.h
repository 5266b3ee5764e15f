/*
 * The membership manifest: who belongs to a consortium, with which keys, and
 * the policy below which no study may go.  The consortium's root signs it; a
 * daemon takes a new one only if its epoch is higher.
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

struct canon;
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

struct manifest {
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

/* Sign m and append the object to out.  consortium_id is filled in. */
int manifest_sign(struct manifest *m, const struct key *root, struct canon *out,
    struct err *err);

/* A manifest that root signed, and nothing else; the caller frees it. */
struct manifest *manifest_open(const void *object, size_t len,
    const uint8_t root[KEY_PUBLIC], struct err *err);
void manifest_free(struct manifest *m); /* NULL is fine */

/* NULL if there is none, whether active or not. */
const struct manifest_site *manifest_by_id(
    const struct manifest *m, uint16_t id);
const struct manifest_site *manifest_by_name(
    const struct manifest *m, const char *name);
const struct manifest_site *manifest_by_tls(
    const struct manifest *m, const uint8_t tls[MANIFEST_ID]);

#endif
