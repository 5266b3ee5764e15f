#include "config.h"

#include "privsep/ctl_wire.h"

#include <stdlib.h>
#include <string.h>

#include "common/canon.h"
#include "common/err.h"
#include "proto/control.pb-c.h"

/* What unpacking may allocate for each byte of a message, and beside them:
   many small fields would else grow to many times their length. */
#define BUDGET_FACTOR 8
#define BUDGET_BASE (64 * 1024)

struct budget {
	size_t left;
	bool no_memory; /* the system had none */
};

static void *
budget_alloc(void *data, size_t size)
{
	struct budget *b = data;
	void *p;

	if (size > b->left)
		return NULL;
	b->left -= size;
	p = malloc(size);
	b->no_memory |= p == NULL;
	return p;
}

static void
budget_free(void *data, void *p)
{
	(void)data;
	free(p);
}

uint32_t
ctl_wire_len(const uint8_t head[CTL_WIRE_HEAD])
{
	struct canon_in in = canon_in(head, CTL_WIRE_HEAD);

	return canon_get_u32(&in);
}

/* Head and message, of which the size is known before it is packed. */
static int
pack(const ProtobufCMessage *m, struct canon *out, struct err *err)
{
	size_t len = protobuf_c_message_get_packed_size(m);
	uint8_t *p;

	if (len > CTL_WIRE_REPLY_MAX)
		return err_set(err, ERR_REFUSED,
		    "an answer of %zu bytes; at most %zu can be sent", len,
		    CTL_WIRE_REPLY_MAX);
	if ((p = malloc(len + 1)) == NULL)
		return err_sys(err, "control");
	protobuf_c_message_pack(m, p);
	canon_u32(out, (uint32_t)len);
	canon_raw(out, p, len);
	free(p);
	return out->failed ? err_sys(err, "control") : 0;
}

/* protobuf-c has no const in its structs. */
static char *
unconst(const char *s)
{
	char *p;

	memcpy(&p, &s, sizeof(p));
	return p;
}

int
ctl_wire_request_write(
    const struct ctl_request *r, struct canon *out, struct err *err)
{
	Consilium__Control__V1__ControlRequest m;

	consilium__control__v1__control_request__init(&m);
	m.command = unconst(r->command);
	m.study = unconst(r->study);
	m.body.len = r->body_len;
	memcpy(&m.body.data, &r->body, sizeof(r->body));
	return pack(&m.base, out, err);
}

/* Copy a text of a message, if it fits and is printable. */
static int
take_text(char *out, size_t size, const char *text)
{
	size_t len = strlen(text);

	if (len >= size)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return -1;
	}
	memcpy(out, text, len + 1);
	return 0;
}

int
ctl_wire_request_read(const void *data, size_t len, struct ctl_request *r,
    uint8_t **body, struct err *err)
{
	struct budget b = { BUDGET_FACTOR * len + BUDGET_BASE, false };
	ProtobufCAllocator budget = { budget_alloc, budget_free, &b };
	Consilium__Control__V1__ControlRequest *m =
	    consilium__control__v1__control_request__unpack(&budget, len, data);
	int rc = -1;

	*r = (struct ctl_request){ 0 };
	*body = NULL;
	if (m == NULL)
		return b.no_memory
		    ? err_sys(err, "control request")
		    : err_set(err, ERR_FORMAT, "not a control request");
	if (take_text(r->command, sizeof(r->command), m->command) < 0 ||
	    r->command[0] == '\0' ||
	    take_text(r->study, sizeof(r->study), m->study) < 0 ||
	    m->body.len > CTL_BODY_MAX) {
		err_set(err, ERR_FORMAT,
		    "control request: a command of 1 to "
		    "%d bytes, a study of at most %d, a "
		    "body of at most %zu expected",
		    CTL_COMMAND_MAX - 1, CTL_STUDY_MAX - 1, CTL_BODY_MAX);
		goto out;
	}
	if ((*body = malloc(m->body.len + 1)) == NULL) {
		err_sys(err, "control request");
		goto out;
	}
	if (m->body.len > 0)
		memcpy(*body, m->body.data, m->body.len);
	r->body = *body;
	r->body_len = m->body.len;
	rc = 0;
out:
	consilium__control__v1__control_request__free_unpacked(m, &budget);
	return rc;
}

int
ctl_wire_reply_write(
    const struct ctl_reply *r, struct canon *out, struct err *err)
{
	Consilium__Control__V1__ControlReply m;
	size_t n = ctl_reply_rows(r);
	Consilium__Control__V1__ControlRow *rows = calloc(n + 1, sizeof(*rows));
	Consilium__Control__V1__ControlRow **p = calloc(n + 1, sizeof(*p));
	char *columns[CTL_COLUMNS_MAX];
	int rc = -1;

	consilium__control__v1__control_reply__init(&m);
	if (rows == NULL || p == NULL) {
		err_sys(err, "control reply");
		goto out;
	}
	memcpy(columns, r->columns, sizeof(columns));
	for (size_t i = 0; i < n; i++) {
		consilium__control__v1__control_row__init(&rows[i]);
		rows[i].n_cells = r->n_columns;
		rows[i].cells = &r->cells[i * r->n_columns];
		p[i] = &rows[i];
	}
	m.code = (uint32_t)r->code;
	m.error = unconst(r->error);
	m.note = unconst(r->note);
	m.n_columns = r->n_columns;
	m.columns = columns;
	m.n_rows = n;
	m.rows = p;
	m.body.data = r->body;
	m.body.len = r->body_len;
	rc = pack(&m.base, out, err);
out:
	free(rows);
	free(p);
	return rc;
}

static int
take_rows(const Consilium__Control__V1__ControlReply *m, struct ctl_reply *r,
    struct err *err)
{
	if (m->n_columns > CTL_COLUMNS_MAX || m->n_rows > CTL_ROWS_MAX)
		return err_set(err, ERR_PEER, "control reply: too many rows");
	for (size_t i = 0; i < m->n_columns; i++)
		ctl_reply_column(r, m->columns[i]);
	for (size_t i = 0; i < m->n_rows; i++) {
		if (m->rows[i]->n_cells != m->n_columns)
			return err_set(err, ERR_PEER,
			    "control reply: a row of %zu cells, expected %zu",
			    m->rows[i]->n_cells, m->n_columns);
		for (size_t k = 0; k < m->n_columns; k++)
			ctl_reply_cell(r, "%s", m->rows[i]->cells[k]);
	}
	return 0;
}

int
ctl_wire_reply_read(
    const void *data, size_t len, struct ctl_reply *r, struct err *err)
{
	struct budget b = { BUDGET_FACTOR * len + BUDGET_BASE, false };
	ProtobufCAllocator budget = { budget_alloc, budget_free, &b };
	Consilium__Control__V1__ControlReply *m =
	    consilium__control__v1__control_reply__unpack(&budget, len, data);
	int rc = -1;

	*r = (struct ctl_reply){ 0 };
	if (m == NULL)
		return b.no_memory
		    ? err_sys(err, "control reply")
		    : err_set(err, ERR_PEER, "not a control reply");
	r->code = (enum err_code)m->code;
	if (take_text(r->error, sizeof(r->error), m->error) < 0 ||
	    take_text(r->note, sizeof(r->note), m->note) < 0) {
		err_set(err, ERR_PEER, "control reply: an error that is none");
		goto out;
	}
	if (take_rows(m, r, err) < 0)
		goto out;
	ctl_reply_bytes(r, m->body.data, m->body.len);
	rc = r->failed ? err_sys(err, "control reply") : 0;
out:
	consilium__control__v1__control_reply__free_unpacked(m, &budget);
	return rc;
}
