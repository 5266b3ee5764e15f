/*
 * That a site's daemon made a report: of which study, which report.json (whose
 * digest stands for report.html, too), of which table.  Signed with the site's
 * identity key, so that a report that has left the daemon can be told from an
 * altered one, and from another hospital's.
 *
 * Ed25519 signatures are a function of key and content, so signing the same
 * report again gives the same bytes.
 */
#ifndef CRYPTO_SIGNED_REPORT_H
#define CRYPTO_SIGNED_REPORT_H

#include <stdint.h>

#include "crypto/signed.h"

#define SIGNED_REPORT_TYPE "report"
#define SIGNED_REPORT_MAX 512 /* bytes of the signed object */

struct signed_report {
	uint8_t study[SIGNED_DIGEST], report[SIGNED_DIGEST],
	    table[SIGNED_DIGEST];
	uint8_t site[KEY_PUBLIC]; /* who signed */
};

/* Append the object to out.  site is filled in. */
int signed_report_sign(struct signed_report *r, const struct key *identity,
    struct canon *out, struct err *err);

/*
 * Read what the holder of site has signed: ERR_FORMAT if it is something else,
 * ERR_REFUSED if it is another key's or was altered.
 */
int signed_report_open(const void *object, size_t len,
    const uint8_t site[KEY_PUBLIC], struct signed_report *r, struct err *err);

#endif
