/*
 * What a parent does for process board, where [board] listen is configured:
 * the listening socket, and the facts that only the parent knows.
 */
#ifndef PRIVSEP_HOUSE_BOARD_H
#define PRIVSEP_HOUSE_BOARD_H

#include <stdint.h>

#include "privsep/msg.h"

struct chan;
struct err;
struct family;
struct family_plan;
struct ini_address;

struct house_board {
	int fd; /* -1: there is no board */
	char at[80]; /* "127.0.0.1:7480", also for port 0 or a name */
	const char *side, *name, *state; /* the caller's; a folder */
	int64_t started, certificate_until; /* UTC */
};

/*
 * Listen at a, if it is set, and make the board a resident of the plan, with
 * a channel to master.  A port that is in use is ERR_CONFIG.
 */
int house_board_open(struct house_board *b, const struct ini_address *a,
    struct family_plan *plan, enum proc master, struct err *err);

/* Its equipment; and the facts alone, where they have changed: a folder's size
   does so at any time. */
int house_board_equip(const struct house_board *b, const struct family *f,
    struct chan *to, struct err *err);
int house_board_tell(const struct house_board *b, const struct family *f,
    struct chan *to, struct err *err);

#endif
