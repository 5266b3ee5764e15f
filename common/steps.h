/*
 * The chain of states of a study (docs/PROTOCOL.md, 2), a row for each step, as
 * both daemons keep it: a table of their database whose rows guard themselves
 * (checksum() of common/db.h).
 */
#ifndef COMMON_STEPS_H
#define COMMON_STEPS_H

#include <stddef.h>
#include <stdint.h>

struct canon;
struct db;
struct err;

/* SQL for a schema: as the first release had it, and what guards its rows. */
#define STEPS_TABLE                                                            \
	"CREATE TABLE step ("                                                  \
	" study INTEGER NOT NULL REFERENCES study(id),"                        \
	" idx INTEGER NOT NULL,"                                               \
	" state BLOB NOT NULL,"                                                \
	" plan BLOB NOT NULL,"                                                 \
	" round INTEGER NOT NULL,"                                             \
	" kind TEXT NOT NULL,"                                                 \
	" utc INTEGER NOT NULL,"                                               \
	" sites BLOB NOT NULL,"                                                \
	" result BLOB NOT NULL,"                                               \
	" PRIMARY KEY (study, idx)) STRICT;"
#define STEPS_GUARD                                                            \
	"ALTER TABLE step ADD COLUMN sum BLOB NOT NULL DEFAULT x'';"           \
	"UPDATE step SET sum = checksum(study, idx, state, plan, round, kind," \
	" utc, sites, result);"

#define STEP_STATE 32 /* bytes, SHA-256 */
#define STEP_SITES_MAX 1024
struct step {
	uint32_t idx;
	uint8_t state[STEP_STATE];
	uint64_t round; /* that led here; 0 for step 0 */
	char kind[33]; /* of that round */
	int64_t utc; /* when it was stored; filled in */
	size_t n_sites; /* in its sum */
	uint16_t sites[STEP_SITES_MAX];
};

/* A step is written once.  plan is what plan_save() gives, result the signed
   result (M8) of the round that led here, empty for step 0. */
int step_add(struct db *db, int64_t study, const struct step *s,
    const void *plan, size_t plan_len, const void *result, size_t result_len,
    struct err *err);

/* 1, 0 if there is no such step, -1; ERR_FORMAT if a bit of it has changed.  idx
   UINT32_MAX: the last one.  plan and result, which may be NULL, are appended to. */
int step_get(struct db *db, int64_t study, uint32_t idx, struct step *s,
    struct canon *plan, struct canon *result, struct err *err);

#endif
