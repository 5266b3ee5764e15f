/*
 * What control asks gate or rounds for a client of the unix socket, and what
 * they answer: MSG_CTL_REQUEST and MSG_CTL_REPLY.
 *
 *     request   u8 roles, u32 uid, text command, bytes study, bytes body
 *     reply     u32 code, bytes error, u32 columns, that many text,
 *               u32 rows, columns times rows bytes, bytes body
 */
#ifndef PRIVSEP_CTL_MSG_H
#define PRIVSEP_CTL_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct canon;
struct chan;

#define CTL_COMMAND_MAX 32 /* with the NUL, as the next */
#define CTL_STUDY_MAX 65
#define CTL_BODY_MAX ((size_t)1024 * 1024) /* of a request */
#define CTL_REPLY_MAX ((size_t)16 * 1024 * 1024)
#define CTL_COLUMNS_MAX 32
#define CTL_ROWS_MAX 65536

enum ctl_role {
	CTL_OPERATOR = 1,
	CTL_OFFICER = 2,
};

struct ctl_request {
	unsigned roles; /* bits: a caller may have both */
	uint32_t uid;
	char command[CTL_COMMAND_MAX];
	char study[CTL_STUDY_MAX]; /* "" where none was named */
	const uint8_t *body; /* within the message */
	size_t body_len;
};

int ctl_request_write(const struct ctl_request *r, struct canon *out);
int ctl_request_read(
    const void *data, size_t len, struct ctl_request *r, struct err *err);

/*
 * A reply is built by calls in order: columns first, then the cells row by
 * row.  Start from all zeros.  What did not fit in memory is reported by
 * ctl_reply_write().
 */
struct ctl_reply {
	enum err_code code; /* ERR_NONE: it was done */
	char error[sizeof(((struct err *)0)->msg)];
	char note[128]; /* from control to its client alone */
	char *columns[CTL_COLUMNS_MAX];
	size_t n_columns;
	char **cells; /* (n_rows, n_columns), row by row */
	size_t n_cells;
	uint8_t *body;
	size_t body_len;
	bool failed;
};

void ctl_reply_error(struct ctl_reply *r, const struct err *err);
void ctl_reply_column(struct ctl_reply *r, const char *name);
void ctl_reply_cell(struct ctl_reply *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The body, copied. */
void ctl_reply_bytes(struct ctl_reply *r, const void *data, size_t len);
void ctl_reply_body(struct ctl_reply *r, const struct canon *body);
size_t ctl_reply_rows(const struct ctl_reply *r);
void ctl_reply_free(struct ctl_reply *r);

int ctl_reply_write(
    const struct ctl_reply *r, struct canon *out, struct err *err);
/* Send it as the answer to tag, and free it. */
int ctl_reply_send(
    struct ctl_reply *r, struct chan *control, uint64_t tag, struct err *err);
/* The caller frees r, also after an error. */
int ctl_reply_read(
    const void *data, size_t len, struct ctl_reply *r, struct err *err);

#endif
