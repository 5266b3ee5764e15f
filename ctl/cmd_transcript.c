/*
 * Transcripts: what the coordinator exports of a study's rounds, and how an
 * outsider who has the root's public key repeats them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/file.h"
#include "common/hex.h"
#include "ctl/ctl.h"
#include "ctl/rows.h"
#include "ctl/transcript.h"
#include "privsep/ctl_client.h"

static int
ask(void *arg, const char *command, const void *body, size_t len,
    struct ctl_reply *reply, struct err *err)
{
	const struct ctl_args *a = arg;

	if (ctl_call(a->opt[CTL_SOCKET], command, a->operand, body, len, reply,
		err) < 0)
		return -1;
	if (reply->code != ERR_NONE)
		return err_set(err, reply->code, "%s", reply->error);
	return 0;
}

int
ctl_transcript(const struct ctl_args *a, struct err *err)
{
	struct ctl_args args = *a;
	struct canon out = { 0 };
	uint64_t round = 0;
	int rv = -1;

	if (a->opt[CTL_ROUND] != NULL &&
	    ctl_number(
		"--round", a->opt[CTL_ROUND], 1, UINT64_MAX, &round, err) < 0)
		return -1;
	if (transcript_fetch(
		ask, &args, round, a->opt[CTL_CHAIN] != NULL, &out, err) == 0)
		rv = file_write(a->opt[CTL_OUT], out.data, out.len, 0644, err);
	canon_free(&out);
	return rv;
}

/*
 * Replaying
 */

#define REPLAY_COLUMNS 7
#define CELL_MAX (2 * ROUND_DIGEST + 1)

/* (n, REPLAY_COLUMNS) cells */
struct replayed {
	char (*cells)[CELL_MAX];
	size_t n, room;
	bool failed;
};

static void
add_round(void *arg, const struct transcript_round *t)
{
	struct replayed *r = arg;
	size_t at = r->n * REPLAY_COLUMNS;
	void *more;

	if (r->n == r->room) {
		r->room = 2 * r->room + 16;
		more = realloc(
		    r->cells, r->room * REPLAY_COLUMNS * sizeof(*r->cells));
		if (more == NULL) {
			r->failed = true;
			return;
		}
		r->cells = more;
	}
	r->n++;
	snprintf(r->cells[at], CELL_MAX, "%" PRIu64, t->round);
	snprintf(r->cells[at + 1], CELL_MAX, "%u", t->step);
	snprintf(r->cells[at + 2], CELL_MAX, "%s", t->kind);
	snprintf(r->cells[at + 3], CELL_MAX, "%zu", t->n_sites);
	hex_text(t->sum, ROUND_DIGEST, r->cells[at + 4]);
	hex_text(t->next, ROUND_DIGEST, r->cells[at + 5]);
	snprintf(r->cells[at + 6], CELL_MAX, "%s", t->learned);
}

static int
print_rounds(const struct replayed *r, bool json, struct err *err)
{
	static const char *const columns[REPLAY_COLUMNS] = { "round", "step",
		"kind", "sites", "sum", "state", "learned" };
	size_t n = r->n * REPLAY_COLUMNS;
	const char **cells = calloc(n + 1, sizeof(*cells));
	int rv;

	if (cells == NULL || r->failed) {
		free(cells);
		return err_sys(err, "rows");
	}
	for (size_t i = 0; i < n; i++)
		cells[i] = r->cells[i];
	rv = rows_print(columns, REPLAY_COLUMNS, cells, n, json, err);
	free(cells);
	return rv;
}

int
ctl_audit_replay(const struct ctl_args *a, struct err *err)
{
	struct replayed rounds = { 0 };
	struct canon model = { 0 };
	uint8_t root[KEY_PUBLIC], *file;
	size_t len;
	int rv = -1;

	if (ctl_public_key("--root-key", a->opt[CTL_ROOT_KEY], root, err) < 0)
		return -1;
	if ((file = file_read(a->operand, TRANSCRIPT_MAX, &len, err)) == NULL)
		return -1;
	if (transcript_replay(
		file, len, root, add_round, &rounds, &model, err) < 0)
		err_prefix(err, "%s", a->operand);
	else if (a->opt[CTL_OUT] == NULL ||
	    file_write(a->opt[CTL_OUT], model.data, model.len, 0644, err) == 0)
		rv = print_rounds(&rounds, a->json, err);
	free(file);
	free(rounds.cells);
	canon_free(&model);
	return rv;
}
