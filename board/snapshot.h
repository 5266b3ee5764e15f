/*
 * What the board shows: MSG_BOARD, from gate or rounds.  It is public state
 * only, and all of it each time; the board keeps the newest.
 *
 *     u32 n facts, each
 *         text name, bytes value
 *     u32 n studies, each
 *         text name, text status, u32 step, bytes kind, u64 round,
 *         bytes phase, u32 have, u32 need, u32 most, u64 rounds done,
 *         u64 deadline, bytes missing, bytes prepared, bytes decided,
 *         bytes why
 *
 * Bytes are plain text here, which may be empty: UTF-8 without control
 * characters.  No two facts, and no two studies, have the same name.
 */
#ifndef BOARD_SNAPSHOT_H
#define BOARD_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/canon.h"

struct chan;
struct err;

#define BOARD_NAME 65 /* with the NUL, as the next */
#define BOARD_WORD 33
#define BOARD_TEXT 513
#define BOARD_FACTS_MAX 64
#define BOARD_STUDIES_MAX 1024
/* Of a payload. */
#define BOARD_MAX ((size_t)4 * 1024 * 1024)

/* board/metrics.c has the names whose numbers become metrics, too. */
struct board_fact {
	char name[BOARD_NAME];
	char value[BOARD_TEXT];
};

/* What is 0 or "" is not shown. */
struct board_study {
	char name[BOARD_NAME];
	char status[BOARD_WORD];
	uint32_t step; /* of the plan, */
	char kind[BOARD_WORD]; /* and what is computed in it */
	uint64_t round; /* the newest, */
	char phase[BOARD_WORD]; /* and how far it is; "": none is open */
	uint32_t have, need, most; /* sites whose message of the phase is
	                              there, must be, can be */
	uint64_t rounds_done;
	uint64_t deadline; /* of the phase; UTC seconds */
	char missing[BOARD_TEXT]; /* names of sites */
	char prepared[BOARD_TEXT]; /* at a site: "2386 rows, 4 suppressed" */
	char decided[BOARD_TEXT]; /* at a site: "approved 2026-11-23 ..." */
	char why[BOARD_TEXT]; /* of a refusal or an end without a result */
};

/*
 * Sender.  Start from all zeros, and end with board_send(), which sends what
 * was written and frees it.  Control characters become "?", broken UTF-8 is
 * cut off.  Studies beyond BOARD_STUDIES_MAX are counted only.
 */
struct board_writer {
	struct canon facts, studies;
	uint32_t n_facts, n_studies, omitted;
};

void board_fact(struct board_writer *w, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void board_study(struct board_writer *w, const struct board_study *s);
/* The payload; frees what was written.  -1 if memory ran out. */
int board_write(struct board_writer *w, struct canon *out, struct err *err);
/* board may be NULL, where none is configured: nothing is sent. */
int board_send(struct board_writer *w, struct chan *board, struct err *err);

/* Receiver. */
struct board_snapshot {
	struct board_fact *facts;
	size_t n_facts;
	struct board_study *studies;
	size_t n_studies;
};

/* NULL with ERR_FORMAT, or ERR_SYSTEM where memory ran out. */
struct board_snapshot *board_read(
    const void *data, size_t len, struct err *err);
void board_snapshot_free(struct board_snapshot *s); /* NULL is fine */

#endif
