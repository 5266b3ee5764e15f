/*
 * One job of the trainer: from the approved table and the plan of a study to
 * what this site contributes to the next round.
 *
 *     MSG_TRAIN     raw 32 study digest, u32 sites of the study, u32 own index
 *                   among them, bytes study (its text), bytes plan
 *     MSG_TRAINED   raw 32 SHA-256 of the table, u32 n, n times f64
 */
#ifndef DAEMON_TRAIN_H
#define DAEMON_TRAIN_H

#include <stddef.h>
#include <stdint.h>

struct canon;
struct err;

#define TRAIN_TABLE_MAX ((size_t)8 << 30) /* bytes */

/*
 * msg is the payload of MSG_TRAIN, table_fd a table file; the payload of
 * MSG_TRAINED is written to out.  The gate holds the table's digest against
 * the officer's approval; here a table that is not the study's is ERR_FORMAT.
 */
int train(const void *msg, size_t len, int table_fd, struct canon *out,
    struct err *err);

#endif
