/*
 * What page and metrics are made of: what the parent said at the start, and
 * the newest snapshot.  All of it belongs to the board.
 */
#ifndef BOARD_VIEW_H
#define BOARD_VIEW_H

#include <stdint.h>

struct board_snapshot;

/* Times are UTC seconds; 0: not known. */
struct board_view {
	const char *side; /* "site" or "coordinator" */
	const char *name; /* its own */
	const char *version;
	int64_t started; /* the parent */
	int64_t certificate; /* until when it is valid */
	int64_t restarts; /* of all processes, since then */
	/* Bytes; -1: not known. */
	int64_t state, state_free; /* of the folder; left on its file system */
	int64_t audit; /* of the audit log */
	const struct board_snapshot *snapshot; /* NULL: none came yet */
	int64_t received;
	int64_t now;
};

/* The value of a fact of the snapshot, or NULL. */
const char *board_view_fact(const struct board_view *v, const char *name);
/* A number of one to 18 digits and nothing else: 0, or -1. */
int board_number(const char *text, int64_t *value);

#endif
