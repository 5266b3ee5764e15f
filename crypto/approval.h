/*
 * What a privacy officer decided about one anonymized table: which study, as
 * described by which report, on which table.  Signed with the officer's key,
 * which the site's configuration pins.
 */
#ifndef CRYPTO_APPROVAL_H
#define CRYPTO_APPROVAL_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/keyfile.h"
#include "crypto/signed.h"

struct canon;
struct err;

#define APPROVAL_TYPE "approval"
#define APPROVAL_MAX 512 /* bytes of the signed object */

enum approval_verdict {
	APPROVAL_APPROVE = 1,
	APPROVAL_REFUSE = 2,
	APPROVAL_REVOKE = 3, /* takes an approval back */
};

struct approval {
	uint8_t study[SIGNED_DIGEST], report[SIGNED_DIGEST],
	    table[SIGNED_DIGEST];
	enum approval_verdict verdict;
	uint8_t officer[KEY_PUBLIC];
	int64_t utc; /* seconds since 1970, by the officer's clock */
};

/* "approve", "refuse", "revoke" */
const char *approval_verdict_name(enum approval_verdict v);

/* Sign a and append the object to out.  officer is filled in. */
int approval_sign(struct approval *a, const struct key *officer,
    struct canon *out, struct err *err);

/*
 * Read an approval signed by one of the n pinned officers.  ERR_REFUSED if it
 * is somebody else's.  Whether the digests are the present ones is for the
 * caller to compare.
 */
int approval_open(const void *object, size_t len,
    const uint8_t (*officers)[KEY_PUBLIC], size_t n, struct approval *a,
    struct err *err);

/* One that was pinned when it was taken: whoever has signed it. */
int approval_open_kept(
    const void *object, size_t len, struct approval *a, struct err *err);

#endif
