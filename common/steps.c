#include "common/steps.h"

#include <stdio.h>

#include "common/canon.h"
#include "common/clock.h"
#include "common/db.h"
#include "common/err.h"

int
step_add(struct db *db, int64_t study, const struct step *s, const void *plan,
    size_t plan_len, const void *result, size_t result_len, struct err *err)
{
	return db_run(db, err,
	    "INSERT INTO step (study, idx, state, plan, round, kind, utc,"
	    " sites, result, sum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,"
	    " checksum(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9))",
	    "iibbisinb", study, (int64_t)s->idx, s->state, (size_t)STEP_STATE,
	    plan, plan_len, (int64_t)s->round, s->kind, clock_utc(), s->sites,
	    (size_t)s->n_sites, result_len != 0 ? result : "", result_len);
}

int
step_get(struct db *db, int64_t study, uint32_t idx, struct step *s,
    struct canon *plan, struct canon *result, struct err *err)
{
	struct db_query *q = db_query(db, err,
	    "SELECT idx, state, round, sites, plan, result, kind, utc,"
	    " sum = checksum(study, idx, state, plan, round, kind, utc, sites,"
	    " result), (SELECT name FROM study WHERE id = step.study)"
	    " FROM step WHERE study = ? AND idx <= ? ORDER BY idx DESC LIMIT 1",
	    "ii", study, (int64_t)idx);
	int rv = db_row(q, err);

	if (rv != 1)
		return rv;
	s->idx = (uint32_t)db_int(q, 0);
	db_digest(q, 1, s->state);
	s->round = (uint64_t)db_int(q, 2);
	s->n_sites = db_u16s(q, 3, s->sites, STEP_SITES_MAX);
	snprintf(s->kind, sizeof(s->kind), "%s", db_str(q, 6));
	s->utc = db_int(q, 7);
	if (idx != UINT32_MAX && s->idx != idx)
		rv = 0;
	else if (db_int(q, 8) == 0)
		rv = err_set(err, ERR_FORMAT,
		    "study %s, step %u: not as it was written: the database is "
		    "damaged",
		    db_str(q, 9), s->idx);
	else if (db_append(q, 4, plan, err) < 0 ||
	    db_append(q, 5, result, err) < 0)
		rv = -1;
	db_done(q);
	return rv;
}
