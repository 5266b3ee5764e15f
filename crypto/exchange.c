#include "crypto/exchange.h"

#include <string.h>

#include "common/canon.h"
#include "common/err.h"

#define LABEL "consilium-1/next"

void
exchange_next_write(const struct exchange_next *x, struct canon *out)
{
	canon_text(out, LABEL);
	canon_u32(out, x->epoch);
	canon_u32(out, (uint32_t)x->n);
	for (size_t i = 0; i < x->n; i++) {
		const struct exchange_study *s = &x->studies[i];

		canon_raw(out, s->digest, sizeof(s->digest));
		canon_u8(out, (uint8_t)s->standing);
		canon_u32(out, s->idx);
		canon_raw(out, s->state, sizeof(s->state));
	}
}

int
exchange_next_read(
    const void *p, size_t len, struct exchange_next *x, struct err *err)
{
	struct canon_in in = canon_in(p, len);
	char label[32];

	canon_get_text(&in, label, sizeof(label));
	if (in.failed || strcmp(label, LABEL) != 0)
		return err_set(err, ERR_FORMAT, "next: expected " LABEL);
	x->epoch = canon_get_u32(&in);
	x->n = canon_get_u32(&in);
	if (x->n > EXCHANGE_STUDIES_MAX)
		return err_set(err, ERR_FORMAT,
		    "next: %zu studies, expected "
		    "at most %d",
		    x->n, EXCHANGE_STUDIES_MAX);
	for (size_t i = 0; i < x->n; i++) {
		struct exchange_study *s = &x->studies[i];
		uint8_t standing;

		canon_get_raw(&in, s->digest, sizeof(s->digest));
		standing = canon_get_u8(&in);
		if (standing >= EXCHANGE_STANDINGS)
			return err_set(err, ERR_FORMAT,
			    "next: unknown standing %u", standing);
		s->standing = (enum exchange_standing)standing;
		s->idx = canon_get_u32(&in);
		canon_get_raw(&in, s->state, sizeof(s->state));
	}
	return canon_end(&in, "next", err);
}

void
exchange_wrap(
    const uint8_t study[32], const void *msg, size_t len, struct canon *out)
{
	canon_text(out, EXCHANGE_LABEL);
	canon_raw(out, study, 32);
	canon_bytes(out, msg, len);
}

int
exchange_unwrap(const void *p, size_t p_len, uint8_t study[32],
    const uint8_t **msg, size_t *len, struct err *err)
{
	struct canon_in in = canon_in(p, p_len);
	char label[32];

	canon_get_text(&in, label, sizeof(label));
	if (in.failed || strcmp(label, EXCHANGE_LABEL) != 0)
		return err_set(
		    err, ERR_FORMAT, "a message without its envelope");
	canon_get_raw(&in, study, 32);
	*msg = canon_get_bytes(&in, 1, p_len, len);
	return canon_end(&in, "envelope", err);
}
