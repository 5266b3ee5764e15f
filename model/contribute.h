/*
 * The trainer's side of a round: what this site's rows contribute to the sum
 * that the plan waits for.
 */
#ifndef MODEL_CONTRIBUTE_H
#define MODEL_CONTRIBUTE_H

struct err;
struct model_data;
struct plan;

/*
 * values has room for plan_values(plan) doubles.  -1 with ERR_FORMAT if the
 * data do not fit the study (rows, terms, an index beyond its range, a value
 * that is not finite or outside of its term's range), ERR_SYSTEM if there is no
 * memory.
 */
int contribute(const struct plan *plan, const struct model_data *data,
    double *values, struct err *err);

#endif
