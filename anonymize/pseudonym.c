#include "config.h"

#include "anonymize/pseudonym.h"

#include <string.h>

#include "common/canon.h"

#define NUMBER_LABEL "consilium-1/pseudonym"
#define SHIFT_LABEL "consilium-1/date-shift"
#define BITS 52 /* whole numbers that a double holds, and a table allows */

static void
derive(const uint8_t key[PATIENTS_KEY], const char *label, const char *study,
    uint8_t out[HASH_LEN])
{
	char info[128];
	size_t n = strlen(label) + 1, m = strnlen(study, sizeof(info) - n);

	memcpy(info, label, n);
	memcpy(info + n, study, m);
	hkdf_expand(key, info, n + m, out, HASH_LEN);
}

struct pseudonym
pseudonym_keys(const uint8_t key[PATIENTS_KEY], const char *study)
{
	struct pseudonym p;

	derive(key, NUMBER_LABEL, study, p.number);
	derive(key, SHIFT_LABEL, study, p.shift);
	return p;
}

static uint64_t
first_bytes(const uint8_t key[HASH_LEN], const char *id, size_t len)
{
	uint8_t whole[HASH_LEN];
	struct canon_in in;

	hash_hmac(key, HASH_LEN, id, len, whole);
	in = canon_in(whole, sizeof(whole));
	return canon_get_u64(&in);
}

double
pseudonym_number(const struct pseudonym *p, const char *id, size_t len)
{
	return (double)(first_bytes(p->number, id, len) >> (64 - BITS));
}

double
pseudonym_shift(
    const struct pseudonym *p, const char *id, size_t len, size_t days)
{
	uint64_t v = first_bytes(p->shift, id, len) % (2 * days + 1);

	return (double)v - (double)days;
}
