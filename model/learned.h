/*
 * What result.json and result.txt have of a plan that learned with differential
 * privacy: all of it follows from noised sums and the signed study.
 */
#ifndef MODEL_LEARNED_H
#define MODEL_LEARNED_H

struct canon;
struct json;
struct plan;

/* The fit: keys of the result's object. */
void learned_json(const struct plan *p, struct json *j);
/* What it revealed: keys of "privacy". */
void learned_privacy(const struct plan *p, struct json *j);
void learned_text(const struct plan *p, struct canon *out);
/* Why there is no fit, or NULL. */
const char *learned_warning(const struct plan *p);

#endif
