#include "config.h"

#include "privsep/ctl_msg.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/canon.h"
#include "privsep/chan.h"

int
ctl_request_write(const struct ctl_request *r, struct canon *out)
{
	canon_u8(out, (uint8_t)r->roles);
	canon_u32(out, r->uid);
	canon_text(out, r->command);
	canon_bytes(out, r->study, strlen(r->study));
	canon_bytes(out, r->body, r->body_len);
	return out->failed ? -1 : 0;
}

/* A name may be empty; what is there has no control characters. */
static void
get_name(struct canon_in *in, char *out, size_t size)
{
	size_t len;
	const uint8_t *p = canon_get_bytes(in, 0, size - 1, &len);

	memset(out, 0, size);
	if (p == NULL)
		return;
	memcpy(out, p, len);
	for (size_t i = 0; i < len; i++) {
		if (p[i] < ' ' || p[i] == 0x7f)
			in->failed = true;
	}
}

int
ctl_request_read(
    const void *data, size_t len, struct ctl_request *r, struct err *err)
{
	struct canon_in in = canon_in(data, len);

	*r = (struct ctl_request){ 0 };
	r->roles = canon_get_u8(&in);
	r->uid = canon_get_u32(&in);
	canon_get_text(&in, r->command, sizeof(r->command));
	get_name(&in, r->study, sizeof(r->study));
	r->body = canon_get_bytes(&in, 0, CTL_BODY_MAX, &r->body_len);
	return canon_end(&in, "CTL_REQUEST", err);
}

void
ctl_reply_error(struct ctl_reply *r, const struct err *err)
{
	r->code = err->code;
	snprintf(r->error, sizeof(r->error), "%s", err->msg);
}

void
ctl_reply_column(struct ctl_reply *r, const char *name)
{
	if (r->n_columns == CTL_COLUMNS_MAX || r->n_cells > 0 ||
	    (r->columns[r->n_columns] = strdup(name)) == NULL) {
		r->failed = true;
		return;
	}
	r->n_columns++;
}

static void
add_cell(struct ctl_reply *r, char *text)
{
	if ((r->n_cells & (r->n_cells - 1)) == 0) {
		size_t cap = r->n_cells == 0 ? 1 : 2 * r->n_cells;
		char **more = reallocarray(r->cells, cap, sizeof(*more));

		if (more == NULL) {
			free(text);
			r->failed = true;
			return;
		}
		r->cells = more;
	}
	r->cells[r->n_cells++] = text;
}

void
ctl_reply_cell(struct ctl_reply *r, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (rc < 0 || r->n_columns == 0 ||
	    r->n_cells >= CTL_ROWS_MAX * r->n_columns) {
		if (rc >= 0)
			free(text);
		r->failed = true;
		return;
	}
	add_cell(r, text);
}

void
ctl_reply_bytes(struct ctl_reply *r, const void *data, size_t len)
{
	free(r->body);
	r->body_len = 0;
	if ((r->body = malloc(len + 1)) == NULL) {
		r->failed = true;
		return;
	}
	if (len > 0)
		memcpy(r->body, data, len);
	r->body[len] = 0;
	r->body_len = len;
}

void
ctl_reply_body(struct ctl_reply *r, const struct canon *body)
{
	r->failed |= body->failed;
	ctl_reply_bytes(r, body->data, body->len);
}

size_t
ctl_reply_rows(const struct ctl_reply *r)
{
	return r->n_columns == 0 ? 0 : r->n_cells / r->n_columns;
}

void
ctl_reply_free(struct ctl_reply *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->n_columns; i++)
		free(r->columns[i]);
	for (size_t i = 0; i < r->n_cells; i++)
		free(r->cells[i]);
	free(r->cells);
	free(r->body);
	*r = (struct ctl_reply){ 0 };
}

int
ctl_reply_write(const struct ctl_reply *r, struct canon *out, struct err *err)
{
	size_t rows = ctl_reply_rows(r);

	canon_u32(out, (uint32_t)r->code);
	canon_bytes(out, r->error, strlen(r->error));
	canon_u32(out, (uint32_t)r->n_columns);
	for (size_t i = 0; i < r->n_columns; i++)
		canon_text(out, r->columns[i]);
	canon_u32(out, (uint32_t)rows);
	for (size_t i = 0; i < rows * r->n_columns; i++)
		canon_bytes(out, r->cells[i], strlen(r->cells[i]));
	canon_bytes(out, r->body, r->body_len);
	if (out->failed || r->failed)
		return err_set(err, ERR_SYSTEM, "reply: no memory");
	if (out->len > CTL_REPLY_MAX)
		return err_set(err, ERR_REFUSED,
		    "reply of %zu bytes, at most %zu may be asked for",
		    out->len, CTL_REPLY_MAX);
	return 0;
}

static void
read_cells(struct canon_in *in, struct ctl_reply *r)
{
	uint32_t rows = canon_get_u32(in);

	if (rows > CTL_ROWS_MAX || (rows > 0 && r->n_columns == 0)) {
		in->failed = true;
		return;
	}
	for (size_t i = 0; i < rows * r->n_columns && !in->failed; i++) {
		size_t len;
		const uint8_t *p = canon_get_bytes(in, 0, CTL_REPLY_MAX, &len);

		if (p != NULL)
			ctl_reply_cell(r, "%.*s", (int)len, (const char *)p);
	}
}

int
ctl_reply_send(
    struct ctl_reply *r, struct chan *control, uint64_t tag, struct err *err)
{
	struct canon out = { 0 };
	int rv = ctl_reply_write(r, &out, err);

	ctl_reply_free(r);
	if (rv == 0)
		return chan_send_canon(control, MSG_CTL_REPLY, tag, &out, err);
	canon_free(&out);
	return -1;
}

int
ctl_reply_read(
    const void *data, size_t len, struct ctl_reply *r, struct err *err)
{
	struct canon_in in = canon_in(data, len);
	const uint8_t *p;
	uint32_t columns;
	size_t n;

	*r = (struct ctl_reply){ 0 };
	r->code = (enum err_code)canon_get_u32(&in);
	get_name(&in, r->error, sizeof(r->error));
	columns = canon_get_u32(&in);
	if (columns > CTL_COLUMNS_MAX)
		in.failed = true;
	for (uint32_t i = 0; i < columns && !in.failed; i++) {
		char name[256];

		canon_get_text(&in, name, sizeof(name));
		ctl_reply_column(r, name);
	}
	if (!in.failed)
		read_cells(&in, r);
	if ((p = canon_get_bytes(&in, 0, CTL_REPLY_MAX, &n)) != NULL)
		ctl_reply_bytes(r, p, n);
	if (r->failed)
		return err_set(err, ERR_SYSTEM, "CTL_REPLY: no memory");
	return canon_end(&in, "CTL_REPLY", err);
}
