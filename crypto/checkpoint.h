/*
 * A checkpoint of an audit log: how long it is and the hash of its last line,
 * signed by the log's key, and countersigned by the coordinator.  Whoever has a
 * countersigned one can show later that lines are missing at the end, or that a
 * past was written anew, also by the key's own holder.
 *
 *     checkpoint     raw 32 key, u64 lines, raw 32 head, u64 utc (the log's clock)
 *     countersigned  bytes checkpoint (the signed object), u64 utc (the
 *                    coordinator's clock)
 *
 * Both are signed objects (crypto/signed.h).
 */
#ifndef CRYPTO_CHECKPOINT_H
#define CRYPTO_CHECKPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/audit.h"
#include "crypto/keyfile.h"

struct canon;
struct err;

#define CHECKPOINT_TYPE "checkpoint"
#define COUNTERSIGNED_TYPE "countersigned"
#define CHECKPOINT_MAX 1024 /* bytes of either object */

struct checkpoint {
	uint8_t key[KEY_PUBLIC]; /* of the log */
	struct audit_state state;
	int64_t utc;
};

/* Append the object to out; key is filled in. */
int checkpoint_sign(struct checkpoint *c, const struct key *k,
    struct canon *out, struct err *err);
/* ERR_REFUSED if it is not pk's; NULL: whosever it is, c->key says. */
int checkpoint_open(const void *object, size_t len, const uint8_t *pk,
    struct checkpoint *c, struct err *err);

/* object is one that checkpoint_open() took. */
int checkpoint_countersign(const void *object, size_t len, int64_t utc,
    const struct key *coordinator, struct canon *out, struct err *err);
/* Both signatures are checked. */
int checkpoint_open_countersigned(const void *object, size_t len,
    const uint8_t coordinator[KEY_PUBLIC], const uint8_t *pk,
    struct checkpoint *c, struct err *err);

#endif
