#include "crypto/context.h"

#include <string.h>

struct round_ctx *
context_fill(struct context *c, const struct manifest *m,
    const struct signed_study *s, uint8_t suite, uint8_t verify, uint8_t cohort)
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
			.bits = 64,
			.verify = verify,
			.cohort = cohort,
		},
	};
	memcpy(c->ctx.consortium, m->consortium_id, ROUND_DIGEST);
	memcpy(c->ctx.study, s->digest, ROUND_DIGEST);
	memcpy(c->ctx.coordinator, m->coordinator.key, ROUND_KEY);
	return &c->ctx;
}
