/*
 * The parent of a hospital's processes.  It reads the configuration, opens
 * what the others need, starts and watches them, and starts a reader or a
 * trainer when the gate asks for one.  It parses nothing that came from
 * outside.
 */
#include <config.h> /* not the one beside this file */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "anonymize/csv.h"
#include "common/canon.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/ini.h"
#include "common/log.h"
#include "common/macros.h"
#include "daemon/config.h"
#include "privsep/ctl_client.h"
#include "privsep/family.h"
#include "privsep/house.h"
#include "privsep/house_board.h"
#include "privsep/house_certificate.h"

#define STUDY_MAX 65 /* a study's name and NUL */
#define TABLE_MAX 128
/* Where catalogues are, if not where they are installed. */
#define LOCALE_ENV "CONSILIUM_LOCALE"

/* Who gets which file of the folder of keys. */
static const struct house_grant grants[] = {
	{ PROC_GATE, "identity.key", true },
	{ PROC_GATE, "root.pub", false },
	{ PROC_GATE, "coordinator.pub", false },
	{ PROC_UPLINK, "tls.key", false },
	{ PROC_UPLINK, "tls.crt", false },
	{ PROC_UPLINK, "ca.crt", false },
	{ PROC_READER, "pseudonym.key", false },
};

static const char *const folders[] = { "tables", "reports", "patients", "db",
	"spool" };

static const enum proc executables[] = { PROC_GATE, PROC_UPLINK, PROC_CONTROL,
	PROC_READER, PROC_TRAINER, PROC_NONE };
static const enum proc board_executable[] = { PROC_BOARD, PROC_NONE };

struct consiliumd {
	struct house_options options;
	struct site_config *config;
	char *text; /* of the configuration */
	size_t text_len;
	struct family_plan plan;
	struct family *family;
	char as[HOUSE_AS]; /* whom -n is */
	int lock, tables, reports, patients; /* descriptors */
	struct house_socket socket;
	struct house_board board;
	gid_t operator_gid, officer_gid;
	struct job {
		uint64_t tag; /* 0: free */
		char study[STUDY_MAX];
		bool reads; /* it makes a table and a report */
		uint64_t last; /* whose report it is compared with; 0: none */
	} jobs[FAMILY_JOBS_MAX];
};

/* What a child is told. */

static int
tell(struct consiliumd *d, struct chan *to, struct err *err)
{
	char uid[16], operator_gid[16], officer_gid[16], until[24];
	const struct family_fact facts[] = {
		{ "state", d->config->state },
		{ "uid", uid },
		{ "operator-gid", operator_gid },
		{ "officer-gid", officer_gid },
		{ "certificate-until", until },
	};

	snprintf(uid, sizeof(uid), "%u", getuid());
	snprintf(operator_gid, sizeof(operator_gid), "%d", d->operator_gid);
	snprintf(officer_gid, sizeof(officer_gid), "%d", d->officer_gid);
	snprintf(until, sizeof(until), "%lld",
	    (long long)d->board.certificate_until);
	return family_give_config(to, d->options.config, d->text, d->text_len,
	    facts, nitems(facts), err);
}

static int
equip(void *self, enum proc p, struct chan *to, struct err *err)
{
	struct consiliumd *d = self;

	if (p == PROC_BOARD)
		return house_board_equip(&d->board, d->family, to, err);
	if (house_give(grants, nitems(grants), d->config->keys, p, to, err) < 0)
		return -1;
	if (p == PROC_CONTROL &&
	    (family_give_file(to, "socket", d->socket.fd, err) < 0 ||
		family_give_file(to, "reports", d->reports, err) < 0))
		return -1;
	return tell(d, to, err);
}

/* Jobs. */

static struct job *
job_slot(struct consiliumd *d, uint64_t tag)
{
	for (size_t i = 0; i < FAMILY_JOBS_MAX; i++) {
		if (d->jobs[i].tag == tag)
			return &d->jobs[i];
	}
	return NULL;
}

static void
file_name(char out[TABLE_MAX], const struct job *j, const char *suffix)
{
	snprintf(out, TABLE_MAX, "%s.%llu.%s", j->study,
	    (unsigned long long)j->tag, suffix);
}

/* What a reader that failed leaves is worth nothing. */
static void
remove_output(struct consiliumd *d, const struct job *j)
{
	char name[TABLE_MAX];

	file_name(name, j, "table");
	unlinkat(d->tables, name, 0);
	file_name(name, j, "json");
	unlinkat(d->reports, name, 0);
	file_name(name, j, "html");
	unlinkat(d->reports, name, 0);
	file_name(name, j, "ids");
	unlinkat(d->patients, name, 0);
}

static int
tell_gone(struct consiliumd *d, uint64_t tag, bool ok, const char *how,
    struct err *err)
{
	struct chan *gate = family_chan(d->family, PROC_GATE);
	struct canon out = { 0 };

	if (gate == NULL)
		return 0; /* the next one knows of no job */
	canon_u8(&out, ok);
	canon_text(&out, how);
	return chan_send_canon(gate, MSG_JOB_GONE, tag, &out, err);
}

static int
job_gone(void *self, uint64_t tag, bool ok, const char *how, struct err *err)
{
	struct consiliumd *d = self;
	struct job *j = job_slot(d, tag);

	if (j == NULL)
		return 0;
	if (!ok && j->reads)
		remove_output(d, j);
	*j = (struct job){ 0 };
	return tell_gone(d, tag, ok, how, err);
}

/* Make a file that must not be there yet, and hand it over for writing. */
static int
give_new_file(struct chan *to, int folder, const struct job *j,
    const char *suffix, const char *as, struct err *err)
{
	char name[TABLE_MAX];
	int fd, rc;

	file_name(name, j, suffix);
	fd = openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, "make %s", name);
	rc = family_give_file(to, as, fd, err);
	close(fd);
	return rc;
}

static int
give_open_file(struct chan *to, const char *folder, const char *name,
    const char *as, struct err *err)
{
	int fd = house_open(folder, name, err), rc;

	if (fd < 0)
		return -1;
	rc = family_give_file(to, as, fd, err);
	close(fd);
	return rc;
}

/* The catalogue of the hospital's language; English needs none. */
static int
open_catalogue(const struct consiliumd *d, struct err *err)
{
	const char *dir = getenv(LOCALE_ENV);
	char path[512];

	snprintf(path, sizeof(path), "%s/%s/LC_MESSAGES/consilium.mo",
	    dir != NULL && *dir != '\0' ? dir : LOCALEDIR, d->config->language);
	return house_open(NULL, path, err);
}

static int
give_catalogue(struct consiliumd *d, struct chan *to, struct err *err)
{
	int fd, rc;

	if (d->config->language == NULL)
		return 0;
	if ((fd = open_catalogue(d, err)) < 0)
		return -1;
	rc = family_give_file(to, "catalogue", fd, err);
	close(fd);
	return rc;
}

/* The last report's JSON.  It is there to be compared: where it is lost, so is
   the comparison, and nothing else. */
static int
give_last_report(
    struct consiliumd *d, const struct job *j, struct chan *to, struct err *err)
{
	struct job last = { .tag = j->last };
	char name[TABLE_MAX];
	int fd, rc;

	if (j->last == 0)
		return 0;
	snprintf(last.study, sizeof(last.study), "%s", j->study);
	file_name(name, &last, "json");
	fd = openat(d->reports, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		log_msg(LOG_WARNING, "report %s: %m", name);
		return 0;
	}
	rc = family_give_file(to, "last-report.json", fd, err);
	close(fd);
	return rc;
}

static int
tell_source(const struct consiliumd *d, const struct site_source *s,
    struct chan *to, struct err *err)
{
	struct family_fact facts[4] = { { "source-name", s->csv } };
	size_t n = 1;

	if (s->patient != NULL)
		facts[n++] = (struct family_fact){ "patient", s->patient };
	if (s->objections != NULL)
		facts[n++] =
		    (struct family_fact){ "objections-name", s->objections };
	if (strcmp(d->config->socket, CTL_SITE_SOCKET) != 0)
		facts[n++] =
		    (struct family_fact){ "socket", d->config->socket };
	return family_give_config(to, "reader", "", 0, facts, n, err);
}

static int
equip_reader(
    struct consiliumd *d, const struct job *j, struct chan *to, struct err *err)
{
	const struct site_source *s =
	    site_config_source(d->config, j->study, err);

	if (s == NULL || give_open_file(to, NULL, s->csv, "source", err) < 0 ||
	    (s->patient != NULL &&
		give_new_file(to, d->patients, j, "ids", "patients", err) <
		    0) ||
	    (s->objections != NULL &&
		give_open_file(to, NULL, s->objections, "objections", err) <
		    0) ||
	    give_catalogue(d, to, err) < 0 ||
	    give_last_report(d, j, to, err) < 0 ||
	    house_give(grants, nitems(grants), d->config->keys, PROC_READER, to,
		err) < 0 ||
	    give_new_file(to, d->tables, j, "table", "table", err) < 0 ||
	    give_new_file(to, d->reports, j, "json", "report.json", err) < 0 ||
	    give_new_file(to, d->reports, j, "html", "report.html", err) < 0)
		return -1;
	return tell_source(d, s, to, err);
}

static int
equip_trainer(
    struct consiliumd *d, const char *table, struct chan *to, struct err *err)
{
	char folder[4096];

	snprintf(folder, sizeof(folder), "%s/tables", d->config->state);
	if (give_open_file(to, folder, table, "table", err) < 0)
		return -1;
	return family_give_config(to, "trainer", "", 0, NULL, 0, err);
}

/* The gate gets its channel to the job, and the name of the job's table. */
static int
give_job(struct consiliumd *d, const struct job *j, const char *table, int fd,
    struct err *err)
{
	struct canon out = { 0 };
	int rc;

	canon_text(&out, table);
	if (out.failed)
		rc = err_set(err, ERR_SYSTEM, "job: no memory");
	else
		rc = chan_send(family_chan(d->family, PROC_GATE),
		    MSG_JOB_CHANNEL, j->tag, out.data, out.len, fd, err);
	canon_free(&out);
	return rc;
}

/* table is NULL for a reader. */
static int
start_job(
    struct consiliumd *d, struct job *j, const char *table, struct err *err)
{
	enum proc p = table == NULL ? PROC_READER : PROC_TRAINER;
	char made[TABLE_MAX];
	struct chan *to;
	int peer, rc;

	to = family_start_job(d->family, p, PROC_GATE, j->tag, &peer, err);
	if (to == NULL)
		return -1;
	if (table == NULL) {
		file_name(made, j, "table");
		rc = equip_reader(d, j, to, err);
	} else {
		snprintf(made, sizeof(made), "%s", table);
		rc = equip_trainer(d, table, to, err);
	}
	if (rc == 0)
		rc = give_job(d, j, made, peer, err);
	close(peer);
	if (rc < 0)
		family_end_job(d->family, j->tag);
	return rc;
}

/* A job that cannot be started is the gate's business, not the end of us. */
static int
order_job(struct consiliumd *d, uint64_t tag, const char *study,
    const char *table, uint64_t last, struct err *err)
{
	struct job *j = job_slot(d, 0);
	bool known = tag == 0 || job_slot(d, tag) != NULL;
	struct err why;

	if (!file_name_ok(study) || (table != NULL && !file_name_ok(table)))
		return err_set(err, ERR_PEER,
		    "the gate asks for a file that "
		    "no study or table can have");
	if (known || j == NULL)
		return tell_gone(
		    d, tag, false, "too many jobs, or its number twice", err);
	*j = (struct job){ .tag = tag, .reads = table == NULL, .last = last };
	snprintf(j->study, sizeof(j->study), "%s", study);
	if (start_job(d, j, table, &why) < 0) {
		log_msg(LOG_ERR, "study %s: %s", study, why.msg);
		return job_gone(d, tag, false, why.msg, err);
	}
	return 0;
}

static int
on_start_reader(void *self, struct msg *m, struct err *err)
{
	struct canon_in in = canon_in(m->data, m->len);
	char study[STUDY_MAX];
	uint64_t last;

	canon_get_text(&in, study, sizeof(study));
	last = canon_get_u64(&in);
	if (canon_end(&in, "START_READER", err) < 0)
		return -1;
	return order_job(self, m->tag, study, NULL, last, err);
}

static int
on_start_trainer(void *self, struct msg *m, struct err *err)
{
	struct canon_in in = canon_in(m->data, m->len);
	char study[STUDY_MAX], table[TABLE_MAX];

	canon_get_text(&in, study, sizeof(study));
	canon_get_text(&in, table, sizeof(table));
	if (canon_end(&in, "START_TRAINER", err) < 0)
		return -1;
	return order_job(self, m->tag, study, table, 0, err);
}

static int
on_drop_table(void *self, struct msg *m, struct err *err)
{
	struct consiliumd *d = self;
	struct canon_in in = canon_in(m->data, m->len);
	char table[TABLE_MAX];

	canon_get_text(&in, table, sizeof(table));
	if (canon_end(&in, "DROP_TABLE", err) < 0)
		return -1;
	if (!file_name_ok(table))
		return err_set(err, ERR_PEER, "the gate names no table");
	if (unlinkat(d->tables, table, 0) < 0)
		log_msg(LOG_WARNING, "table %s: %m", table);
	return 0;
}

static const struct handler orders[] = {
	{ MSG_START_READER, PROC_GATE, 13, 12 + STUDY_MAX, on_start_reader },
	{ MSG_START_TRAINER, PROC_GATE, 10, 8 + STUDY_MAX + TABLE_MAX,
	    on_start_trainer },
	{ MSG_DROP_TABLE, PROC_GATE, 5, 4 + TABLE_MAX, on_drop_table },
};

/* Certificates. */

/* It takes a restart, for which it had better be right. */
static int
look_at_config(const struct consiliumd *d, struct err *err)
{
	const char *path = d->options.config;
	struct site_config *now = NULL;
	size_t len;
	uint8_t *text = file_read(path, INI_FILE_MAX, &len, err);

	if (text == NULL ||
	    (now = site_config_parse(path, text, len, err)) == NULL) {
		free(text);
		return -1;
	}
	if (len != d->text_len || memcmp(text, d->text, len) != 0)
		log_msg(LOG_WARNING,
		    "%s has changed: restart, a reload reads the TLS "
		    "certificate alone",
		    path);
	site_config_free(now);
	free(text);
	return 0;
}

static int
tell_board(void *self, struct err *err)
{
	struct consiliumd *d = self;
	struct chan *board = family_chan(d->family, PROC_BOARD);

	if (board == NULL)
		return 0;
	return house_board_tell(&d->board, d->family, board, err);
}

static int
reload(void *self, struct err *err)
{
	struct consiliumd *d = self;

	if (look_at_config(d, err) < 0 ||
	    house_certificate(d->config->keys, d->config->name,
		&d->board.certificate_until, err) < 0 ||
	    tell(d, family_chan(d->family, PROC_CONTROL), err) < 0)
		return -1;
	return tell_board(d, err);
}

static void
daily(void *self)
{
	struct consiliumd *d = self;

	house_certificate_daily(
	    d->config->keys, d->config->name, &d->board.certificate_until);
}

static const struct family_plan plan = {
	.residents = { PROC_GATE, PROC_UPLINK, PROC_CONTROL, PROC_NONE },
	.wires = { { PROC_GATE, PROC_UPLINK }, { PROC_GATE, PROC_CONTROL } },
	.orders = orders,
	.n_orders = nitems(orders),
	.equip = equip,
	.reload = reload,
	.reloads = PROC_UPLINK,
	.daily = daily,
	.minutely = tell_board,
	.job_gone = job_gone,
};

/* Start. */

static int
open_folder(const char *state, const char *name, struct err *err)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", state, name);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(err, "open %s", path) : fd;
}

static int
check_groups(struct consiliumd *d, struct err *err)
{
	const struct site_config *c = d->config;

	if (house_group(c->operator_group, &d->operator_gid, err) < 0)
		return ini_prefix(c->ini, c->operator_group, err);
	if (house_group(c->officer_group, &d->officer_gid, err) < 0)
		return ini_prefix(c->ini, c->officer_group, err);
	return 0;
}

/* All that can be wrong without anything having been touched. */
static int
read_config(struct consiliumd *d, struct err *err)
{
	const char *path = d->options.config;
	struct site_config *c;

	d->text = (char *)file_read(path, INI_FILE_MAX, &d->text_len, err);
	if (d->text == NULL)
		return -1;
	c = site_config_parse(path, d->text, d->text_len, err);
	if ((d->config = c) == NULL)
		return -1;
	d->board.side = "site";
	d->board.name = c->name;
	d->board.state = c->state;
	log_site(c->name);
	if (house_be_owner(path, c->state, d->as, err) < 0)
		return -1;
	if (c->language != NULL) {
		int fd = open_catalogue(d, err);

		if (fd < 0)
			return err_prefix(
			    err, "[site] language = %s", c->language);
		close(fd);
	}
	if (house_check(grants, nitems(grants), c->keys, err) < 0)
		return ini_prefix(c->ini, c->keys, err);
	if (house_certificate(
		c->keys, c->name, &d->board.certificate_until, err) < 0 ||
	    check_groups(d, err) < 0)
		return -1;
	if (c->board.host != NULL &&
	    house_executables(board_executable, err) < 0)
		return -1;
	return house_executables(executables, err);
}

/*
 * What -n looks at besides.  Records may come and go while a daemon runs, and
 * it parses none: of a source this is the header.
 */

static bool
has_column(const struct csv *csv, const char *name)
{
	for (size_t i = 0; i < csv_cells(csv); i++) {
		if (strcmp(csv_cell(csv, i)->text, name) == 0)
			return true;
	}
	return false;
}

static int
check_header(const struct site_config *c, const struct site_source *s, int fd,
    struct err *err)
{
	struct csv *csv = csv_open(fd, s->csv, 0, err);
	int rc = -1;

	if (csv == NULL || (rc = csv_next(csv, err)) < 0) {
		csv_close(csv);
		return -1;
	}
	if (rc == 0 || csv_open_end(csv)) {
		rc = err_set(err, ERR_CONFIG,
		    "%s:1: no line that ends, expected a header", s->csv);
	} else if (s->patient != NULL && !has_column(csv, s->patient)) {
		err_set(err, ERR_CONFIG,
		    "patient: no column \"%s\" in the header of %s, expected "
		    "one of its %zu",
		    s->patient, s->csv, csv_cells(csv));
		rc = ini_prefix(c->ini, s->patient, err);
	} else {
		rc = 0;
	}
	csv_close(csv);
	return rc;
}

static int
check_source(
    const struct site_config *c, const struct site_source *s, struct err *err)
{
	int fd = house_open(NULL, s->csv, err), rc;

	if (fd < 0)
		return ini_prefix(c->ini, s->csv, err);
	rc = check_header(c, s, fd, err);
	close(fd);
	if (rc < 0 || s->objections == NULL)
		return rc;
	if ((fd = house_open(NULL, s->objections, err)) < 0)
		return ini_prefix(c->ini, s->objections, err);
	close(fd);
	return 0;
}

static int
check_rest(const struct consiliumd *d, struct err *err)
{
	const struct site_config *c = d->config;

	if (house_check_folders(c->ini, c->state, c->socket, err) < 0)
		return -1;
	for (size_t i = 0; i < c->n_sources; i++) {
		if (check_source(c, &c->sources[i], err) < 0)
			return -1;
	}
	return 0;
}

static void
say_right(const struct consiliumd *d)
{
	const struct site_config *c = d->config;
	char until[CLOCK_TEXT_SIZE];

	clock_text(d->board.certificate_until, until);
	printf("%s: ok%s: site %s, sources: %zu, officers: %zu, TLS "
	       "certificate until %s\n",
	    d->options.config, d->as, c->name, c->n_sources, c->n_officers,
	    until);
}

static int
set_up(struct consiliumd *d, struct err *err)
{
	const struct site_config *c = d->config;
	bool groups = c->operator_group != NULL || c->officer_group != NULL;

	d->lock = house_state(c->state, folders, nitems(folders), err);
	if (d->lock < 0 ||
	    (d->tables = open_folder(c->state, "tables", err)) < 0 ||
	    (d->reports = open_folder(c->state, "reports", err)) < 0 ||
	    (d->patients = open_folder(c->state, "patients", err)) < 0 ||
	    house_socket(&d->socket, c->socket, groups, err) < 0)
		return -1;
	if (house_fence(c->state,
		c->proxy.host != NULL ? c->proxy.port : c->coordinator.port,
		MAX(c->sandbox, d->options.sandbox), err) < 0)
		return -1;
	d->plan = plan;
	if (house_board_open(&d->board, &c->board, &d->plan, PROC_GATE, err) <
	    0)
		return -1;
	d->family = family_new(&d->plan, d, d->options.log_priority, err);
	return d->family == NULL ? -1 : 0;
}

static void
clean_up(struct consiliumd *d)
{
	const int fds[] = { d->lock, d->tables, d->reports, d->patients,
		d->board.fd };

	family_free(d->family);
	if (d->config != NULL)
		house_socket_close(&d->socket, d->config->socket);
	for (size_t i = 0; i < nitems(fds); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	site_config_free(d->config);
	free(d->text);
}

int
main(int argc, char **argv)
{
	struct consiliumd d = { .lock = -1,
		.socket = { .fd = -1 },
		.tables = -1,
		.reports = -1,
		.patients = -1,
		.board = { .fd = -1 } };
	struct err err;
	int rc;

	rc = house_options(
	    argc, argv, SYSCONFDIR "/consilium/consiliumd.conf", &d.options);
	if (rc != 0)
		return rc < 0 ? 2 : 0;
	rc = 1;
	log_open("consiliumd", d.options.log_priority);
	log_open_journal();
	if (read_config(&d, &err) < 0 ||
	    (d.options.check_only ? check_rest(&d, &err) : set_up(&d, &err)) <
		0) {
		log_msg(LOG_ERR, "%s%s", err.msg, d.as);
	} else if (d.options.check_only) {
		say_right(&d);
		rc = 0;
	} else {
		rc = family_run(d.family);
	}
	clean_up(&d);
	return rc;
}
