/*
 * The audit log: one line for every decision and every release, each chained
 * to the line before by its hash and signed by the daemon's identity key.  A
 * line is on disk when audit_add() returns, so call it before what it records.
 *
 *     7 2026-11-23T09:30:00Z approved study=rfs officer=5f.. prev=HEX hash=HEX sig=HEX
 *
 * hash is over the label "consilium-1/audit" and the line up to " hash="; sig
 * is the Ed25519 signature of the hash.  An altered, removed or reordered line
 * breaks the chain; lines missing at the end show against a count (and head)
 * that somebody else has kept.
 *
 * One process writes a log (it holds the file's lock).  No cell's value, no
 * patient identifier and no key belongs in a field.
 */
#ifndef CRYPTO_AUDIT_H
#define CRYPTO_AUDIT_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/keyfile.h"

struct audit;
struct err;

#define AUDIT_HASH 32
#define AUDIT_LINE_MAX 8192 /* bytes with the newline */

/*
 * Open or create path; k must stay valid.  The last line is verified:
 * ERR_FORMAT if it is not k's, ERR_REFUSED if it hands over to another than k.  A line that a crash left without its end was
 * never promised to anybody; it is cut off, and a line "recovered" says so.
 */
struct audit *audit_open(
    const char *path, const struct key *k, struct err *err);
void audit_close(struct audit *a); /* NULL is fine */

struct audit_field {
	const char *name; /* [a-z0-9-] */
	const char *value; /* text; blanks are quoted, control bytes %XX */
};

/* event is [a-z0-9-]. */
int audit_add(struct audit *a, const char *event,
    const struct audit_field *fields, size_t n, struct err *err);

/* The same with the fields as "name", "value", ..., NULL; 16 at most. */
int audit_event(struct audit *a, struct err *err, const char *event, ...)
    __attribute__((sentinel));

/*
 * The log goes on under another key: a line "identity next=HEX", the last one
 * that k signs.  Then audit_open() wants the next key, and audit_verify() goes
 * on with it.
 */
int audit_hand_over(
    struct audit *a, const uint8_t next[KEY_PUBLIC], struct err *err);

uint64_t audit_count(const struct audit *a);
void audit_head(const struct audit *a, uint8_t hash[AUDIT_HASH]);

struct audit_state {
	uint64_t count; /* lines */
	uint8_t head[AUDIT_HASH]; /* hash of the last; zeros if none */
};

/*
 * Verify all of path against pk, the first key that it had.  ERR_FORMAT names the first line that is
 * wrong.  expected may be NULL; else the log must go on from there: have that
 * many lines at least, and that hash at that place (zeros: any).
 */
int audit_verify(const char *path, const uint8_t pk[KEY_PUBLIC],
    const struct audit_state *expected, struct audit_state *found,
    struct err *err);

#endif
