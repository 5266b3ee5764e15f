#include "ctl/rules.h"

#include "study/study.h"

struct round_ctx *
ctl_context(struct context *c, const struct manifest *m,
    const struct signed_study *sig, const struct study *s)
{
	static const uint8_t verify_of[] = {
		[STUDY_REPLAY] = ROUND_REPLAY,
		[STUDY_SAMPLE] = ROUND_SAMPLE,
		[STUDY_TRUST] = ROUND_TRUST,
	};
	static const uint8_t cohort_of[] = {
		[STUDY_FIXED] = ROUND_FIXED,
		[STUDY_OPEN] = ROUND_OPEN,
	};

	return context_fill(c, m, sig, verify_of[s->privacy.verify],
	    cohort_of[s->privacy.cohort]);
}
