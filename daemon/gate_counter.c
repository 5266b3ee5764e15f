/*
 * Is our database the newest one that there was?  A copy of the number of
 * stored answers lies outside of it, in a folder that backups leave out, and is
 * on disk before an answer leaves.  A database that has counted less has been
 * restored: answers have left this house that it does not know.
 */
#include "daemon/gate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/err.h"
#include "common/file.h"
#include "common/log.h"
#include "common/log_events.h"
#include "crypto/audit.h"

/* bford.info/cachedir: tools that make backups leave such a folder out. */
#define TAG "Signature: 8a477f597d28d172789f06886806bc55\n"
#define ROUND_ANSWERS 5 /* fewest stored answers to unmask another state */

static void
counter_path(const struct gate *g, const char *name, char out[600])
{
	snprintf(out, 600, "%s/spool/%s", g->state_dir, name);
}

static int
write_count(struct gate *g, uint64_t count, struct err *err)
{
	char path[600], text[32];
	int n = snprintf(text, sizeof(text), "%" PRIu64 "\n", count);

	counter_path(g, "answers", path);
	if (file_write(path, text, (size_t)n, 0600, err) < 0)
		return -1;
	g->answers_kept = count;
	return 0;
}

/* 1, or 0 if there is none. */
static int
read_count(struct gate *g, uint64_t *count, struct err *err)
{
	char path[600], *end;
	uint8_t *text;
	size_t len;

	counter_path(g, "answers", path);
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return 0;
	if ((text = file_read(path, 32, &len, err)) == NULL)
		return -1;
	*count = strtoull((char *)text, &end, 10);
	if (end == (char *)text || *end != '\n')
		err_set(err, ERR_FORMAT, "%s: not a number", path);
	else
		len = 0;
	free(text);
	return len == 0 ? 1 : -1;
}

int
gate_count(struct gate *g, struct err *err)
{
	return store_count_answer(g->store, &g->answers, err);
}

int
gate_keep_count(struct gate *g, struct err *err)
{
	return g->answers == g->answers_kept ? 0
					     : write_count(g, g->answers, err);
}

static int
found_restored(struct gate *g, bool known, uint64_t count, struct err *err)
{
	uint64_t lost = known ? count - g->answers : UINT64_MAX;
	uint64_t steps =
	    known ? (lost - 1) / ROUND_ANSWERS + 1 : (uint64_t)UINT32_MAX;
	char text[24] = "unknown";

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
gate_check_count(struct gate *g, struct err *err)
{
	uint64_t count = 0;
	char path[600];
	int rv;

	counter_path(g, "CACHEDIR.TAG", path);
	if (access(path, F_OK) < 0 &&
	    file_write(path, TAG, sizeof(TAG) - 1, 0600, err) < 0)
		return -1;
	if (store_get_counter(g->store, &g->answers, &g->restored, err) < 0 ||
	    (rv = read_count(g, &count, err)) < 0)
		return -1;
	g->answers_kept = count;
	if (!g->restored) {
		/* What the database alone has, has not left: a crash. */
		if (rv == 1 && g->answers >= count)
			return gate_keep_count(g, err);
		if (rv == 0 && g->answers == 0)
			return write_count(g, 0, err);
		if (found_restored(g, rv == 1, count, err) < 0)
			return -1;
	}
	log_event(EVENT_RESTORED, LOG_ERR, NULL, 0,
	    "the database was restored from a backup: answers have left that "
	    "it does not know; nothing is answered until consiliumctl "
	    "restored");
	return 0;
}

int
gate_accept_restored(struct gate *g, struct err *err)
{
	uint64_t count =
	    g->answers > g->answers_kept ? g->answers : g->answers_kept;

	if (audit_event(g->audit, err, "restored", NULL) < 0 ||
	    store_clear_restored(g->store, count, err) < 0)
		return -1;
	g->answers = count;
	g->restored = false;
	return write_count(g, count, err);
}
