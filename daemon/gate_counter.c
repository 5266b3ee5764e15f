/*
 * Is our database the newest one that there was?  A copy of the numbers of
 * stored answers and of steps lies outside of it, in a folder that backups leave
 * out, and is on disk before an answer leaves.  A database that has counted fewer
 * answers has been restored: answers have left this house that it does not know,
 * on states that are at most as many steps further as it has counted fewer.
 */
#include "daemon/gate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/err.h"
#include "common/file.h"
#include "common/log.h"
#include "common/log_events.h"
#include "common/macros.h"
#include "crypto/audit.h"

/* bford.info/cachedir: tools that make backups leave such a folder out. */
#define TAG "Signature: 8a477f597d28d172789f06886806bc55\n"
#define UNKNOWN UINT64_MAX

static void
counter_path(const struct gate *g, const char *name, char out[600])
{
	snprintf(out, 600, "%s/spool/%s", g->state_dir, name);
}

/* Neither number ever becomes smaller. */
static int
write_count(struct gate *g, uint64_t answers, uint64_t steps, struct err *err)
{
	char path[600], text[64];
	int n = snprintf(
	    text, sizeof(text), "%" PRIu64 " %" PRIu64 "\n", answers, steps);

	counter_path(g, "answers", path);
	if (file_write(path, text, (size_t)n, 0600, err) < 0)
		return -1;
	g->kept.answers = answers;
	g->kept.steps = steps;
	return 0;
}

/* What the database alone has is more than what was ever lost of it, or less. */
static uint64_t
most_steps(const struct gate *g)
{
	return g->kept.steps == UNKNOWN ? g->stored.steps
					: MAX(g->stored.steps, g->kept.steps);
}

/* 1, or 0 if there is none.  Steps are UNKNOWN where an older release wrote. */
static int
read_count(struct gate *g, struct store_counter *kept, struct err *err)
{
	char path[600], *end, *more;
	uint8_t *text;
	size_t len;
	int rv = 1;

	counter_path(g, "answers", path);
	if (file_missing(path))
		return 0;
	if ((text = file_read(path, 64, &len, err)) == NULL)
		return -1;
	kept->answers = strtoull((char *)text, &end, 10);
	kept->steps = UNKNOWN;
	more = end;
	if (*end == ' ')
		kept->steps = strtoull(end + 1, &more, 10);
	if (end == (char *)text || more == end + 1 || *more != '\n')
		rv =
		    err_set(err, ERR_FORMAT, "%s: not two whole numbers", path);
	free(text);
	return rv;
}

int
gate_count(struct gate *g, struct err *err)
{
	return store_count_answer(g->store, &g->stored, err);
}

int
gate_keep_count(struct gate *g, struct err *err)
{
	if (g->stored.answers == g->kept.answers)
		return 0;
	return write_count(g, g->stored.answers, most_steps(g), err);
}

static int
found_restored(struct gate *g, bool known, struct err *err)
{
	const struct store_counter *kept = &g->kept, *have = &g->stored;
	uint64_t lost = known ? kept->answers - have->answers : UNKNOWN;
	uint64_t steps = UNKNOWN;
	char text[24] = "unknown";

	/* The last answer may have been on the state after the lost steps. */
	if (known && kept->steps != UNKNOWN)
		steps = kept->steps > have->steps
		    ? kept->steps - have->steps + 1
		    : 1;
	if (known)
		snprintf(text, sizeof(text), "%" PRIu64, lost);
	if (audit_event(g->audit, err, "backup-found", "lost-answers", text,
		NULL) < 0 ||
	    store_begin(g->store, err) < 0)
		return -1;
	if (store_mark_restored(g->store, lost, steps, err) < 0) {
		store_rollback(g->store);
		return -1;
	}
	g->restored = true;
	return store_commit(g->store, err);
}

int
gate_found_restored(struct gate *g, struct err *err)
{
	return found_restored(g, false, err);
}

int
gate_check_count(struct gate *g, struct err *err)
{
	char path[600];
	int rv;

	counter_path(g, "CACHEDIR.TAG", path);
	if (access(path, F_OK) < 0 &&
	    file_write(path, TAG, sizeof(TAG) - 1, 0600, err) < 0)
		return -1;
	if (store_get_counter(g->store, &g->stored, &g->restored, err) < 0 ||
	    (rv = read_count(g, &g->kept, err)) < 0)
		return -1;
	if (!g->restored) {
		/* What the database alone has, has not left: a crash. */
		if (rv == 1 && g->stored.answers >= g->kept.answers)
			return write_count(
			    g, g->stored.answers, most_steps(g), err);
		if (rv == 0 && g->stored.answers == 0)
			return write_count(g, 0, g->stored.steps, err);
		if (found_restored(g, rv == 1, err) < 0)
			return -1;
	}
	log_event(EVENT_RESTORED, LOG_ERR, NULL, 0,
	    "the state folder is empty, or was restored from a backup: answers "
	    "have left that it does not know; nothing is answered until "
	    "consiliumctl restored, or site reset");
	return 0;
}

int
gate_accept_restored(struct gate *g, struct err *err)
{
	uint64_t count = MAX(g->stored.answers, g->kept.answers);

	if (audit_event(g->audit, err, "restored", NULL) < 0 ||
	    store_clear_restored(g->store, count, err) < 0)
		return -1;
	g->stored.answers = count;
	g->restored = false;
	return write_count(g, count, most_steps(g), err);
}
