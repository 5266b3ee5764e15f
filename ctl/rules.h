/* A round's rules from what the root signed, as all daemons derive them. */
#ifndef CTL_RULES_H
#define CTL_RULES_H

#include "crypto/context.h"

struct study;

/* context_fill() for an outsider: no site of its own, no key, no cohort. */
struct round_ctx *ctl_context(struct context *c, const struct manifest *m,
    const struct signed_study *sig, const struct study *s);

#endif
