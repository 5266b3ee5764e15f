/*
 * What travels between a site and the coordinator beside the messages of a
 * round: the question Next, and an envelope that says which study a message
 * belongs to.
 *
 * Next is what a site tells the coordinator when it asks what it owes: which
 * manifest it has, which studies it knows, and for those that it takes part
 * in, where it stands.  Not signed: the TLS identity says who asks, and
 * nothing that a site relies on depends on the answer.
 *
 *     text   "consilium-1/next"
 *     u32    epoch of the newest manifest, 0 for none
 *     u32    n, at most EXCHANGE_STUDIES_MAX; n times:
 *       raw 32 study digest
 *       u8     standing
 *       u32    step index    \ zeros unless the standing is EXCHANGE_READY
 *       raw 32 state         /
 */
#ifndef CRYPTO_EXCHANGE_H
#define CRYPTO_EXCHANGE_H

#include <stddef.h>
#include <stdint.h>

struct canon;
struct err;

#define EXCHANGE_STUDIES_MAX 256
#define EXCHANGE_NEXT_MAX (64 * 1024)

enum exchange_standing {
	EXCHANGE_KNOWN, /* has it, and takes no part for the time being */
	EXCHANGE_READY, /* takes part, and waits for what it owes */
	EXCHANGE_STANDINGS
};

struct exchange_study {
	uint8_t digest[32];
	enum exchange_standing standing;
	uint32_t idx;
	uint8_t state[32];
};

struct exchange_next {
	uint32_t epoch;
	size_t n;
	struct exchange_study studies[EXCHANGE_STUDIES_MAX];
};

void exchange_next_write(const struct exchange_next *x, struct canon *out);
int exchange_next_read(
    const void *p, size_t len, struct exchange_next *x, struct err *err);

/*
 * An envelope around one message of a round.  The study in it is a hint for
 * whom to hand the message to; the message itself says which it is.
 *
 *     text   "consilium-1/envelope"
 *     raw 32 study digest
 *     bytes  message
 */
#define EXCHANGE_LABEL "consilium-1/envelope"

void exchange_wrap(
    const uint8_t study[32], const void *msg, size_t len, struct canon *out);
/* msg points into p. */
int exchange_unwrap(const void *p, size_t p_len, uint8_t study[32],
    const uint8_t **msg, size_t *len, struct err *err);

#endif
