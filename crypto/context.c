#include "crypto/context.h"

#include <stdio.h>
#include <string.h>

#include "common/canon.h"

struct round_ctx *
context_fill(struct context *c, const struct manifest *m,
    const struct signed_study *s, uint8_t suite, uint8_t bits, uint8_t verify,
    uint8_t cohort)
{
	bool allowed = suite >= 1 && suite <= 32 &&
	    (m->policy.suites >> (suite - 1) & 1) != 0;

	for (size_t i = 0; i < m->n_sites; i++) {
		const struct manifest_site *site = &m->sites[i];

		c->members[i] = (struct round_member){
			.id = site->id,
			.active = site->active,
			.in_study = signed_study_index(s, site->id) != SIZE_MAX,
		};
		memcpy(c->members[i].pk, site->member.key, ROUND_KEY);
	}
	c->ctx = (struct round_ctx){
		.epoch = m->epoch,
		.members = c->members,
		.n_members = m->n_sites,
		.rules = {
			.corrupted = m->policy.corrupted,
			.honest_min = m->policy.honest_min,
			.u_frac_ppm = m->policy.u_frac_ppm,
			.suite = allowed ? suite : 0,
			.bits = bits,
			.verify = verify,
			.cohort = cohort,
		},
	};
	memcpy(c->ctx.consortium, m->consortium_id, ROUND_DIGEST);
	memcpy(c->ctx.study, s->digest, ROUND_DIGEST);
	memcpy(c->ctx.coordinator, m->coordinator.key, ROUND_KEY);
	return &c->ctx;
}

static const char *
name_of(const struct manifest *m, uint16_t site)
{
	const struct manifest_site *s = manifest_by_id(m, site);

	return s != NULL ? s->member.name : "?";
}

void
context_names(const struct manifest *m, const uint16_t *sites, size_t n,
    struct canon *out)
{
	for (size_t i = 0; i < n; i++) {
		const char *name = name_of(m, sites[i]);

		if (i > 0)
			canon_raw(out, " ", 1);
		canon_raw(out, name, strlen(name));
	}
}

size_t
context_without(const struct manifest *m, const uint16_t *a, size_t n_a,
    const uint16_t *b, size_t n_b, char *out, size_t size)
{
	size_t n = 0, k = 0, len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < n_a; i++) {
		while (k < n_b && b[k] < a[i])
			k++;
		if (k < n_b && b[k] == a[i])
			continue;
		if (len < size)
			len += (size_t)snprintf(out + len, size - len, "%s%s",
			    n > 0 ? " " : "", name_of(m, a[i]));
		n++;
	}
	return n;
}
