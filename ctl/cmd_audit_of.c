/*
 * Subject access: in which studies were a patient's rows used?  Objections: was
 * this list applied to a table, and is nobody on it in there?  The reader has
 * left keyed hashes of the patients with each table; the audit log says what
 * became of the table, and which list there was.  Nothing is asked of the daemon.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "anonymize/patients.h"
#include "common/err.h"
#include "common/file.h"
#include "common/hex.h"
#include "common/macros.h"
#include "crypto/audit.h"
#include "crypto/keyfile.h"
#include "ctl/ctl.h"
#include "ctl/rows.h"

#define SUFFIX ".ids"
#define CELLS_MAX ((size_t)7 * 4096)
#define FILE_MAX ((size_t)256 * 1024 * 1024)

/* Rows for who asks. */
struct answer {
	const char *log;
	uint64_t lines; /* of it, that were verified */
	char *cells[CELLS_MAX];
	size_t n_cells;
};

static int
add_row(struct answer *a, const char *const *row, size_t n, struct err *err)
{
	if (a->n_cells + n > nitems(a->cells))
		return err_set(err, ERR_REFUSED, "more tables than are shown");
	for (size_t i = 0; i < n; i++) {
		if ((a->cells[a->n_cells] = strdup(row[i])) == NULL)
			return err_sys(err, "rows");
		a->n_cells++;
	}
	return 0;
}

/* The value of a field as it stands there, unless it is quoted: nobody else's
   text is looked into. */
static bool
field(const char *line, const char *name, char *value, size_t size)
{
	size_t len, n;

	while ((line = strchr(line, ' ')) != NULL) {
		len = strcspn(++line, "= ");
		if (line[len] != '=')
			continue;
		if (line[len + 1] == '"') {
			if ((line = strchr(line + len + 2, '"')) == NULL)
				return false;
			continue;
		}
		n = strcspn(line + len + 1, " ");
		if (len == strlen(name) && memcmp(line, name, len) == 0 &&
		    n < size) {
			snprintf(value, size, "%.*s", (int)n, line + len + 1);
			return true;
		}
	}
	return false;
}

static bool
has(const char *line, const char *name, const char *value)
{
	char is[2 * AUDIT_HASH + 1];

	return field(line, name, is, sizeof(is)) && strcmp(is, value) == 0;
}

/* What is to be done with each line, "SEQ UTC EVENT fields". */
typedef int line_fn(void *arg, const char *when, const char *event,
    const char *line, struct err *err);

static int
read_log(const struct answer *a, line_fn *fn, void *arg, struct err *err)
{
	static char line[AUDIT_LINE_MAX + 1];
	char when[24], event[48];
	FILE *log = fopen(a->log, "re");
	int rv = 0;

	if (log == NULL)
		return err_sys(err, "open %s", a->log);
	for (uint64_t i = 0; i < a->lines && rv == 0; i++) {
		if (fgets(line, sizeof(line), log) == NULL) {
			rv = err_set(err, ERR_SYSTEM,
			    "%s: has fewer lines than were verified", a->log);
			break;
		}
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%*u %23s %47s", when, event) == 2)
			rv = fn(arg, when, event, line, err);
	}
	fclose(log);
	return rv;
}

/* What is to be done with each file STUDY.JOB.ids. */
typedef int ids_fn(void *arg, const char *name, const char *path,
    const uint8_t *file, size_t len, struct err *err);

static int
is_ids(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return file_name_ok(d->d_name) && n > strlen(SUFFIX) &&
	    strcmp(d->d_name + n - strlen(SUFFIX), SUFFIX) == 0;
}

static int
look_into(
    const char *dir, const char *name, ids_fn *fn, void *arg, struct err *err)
{
	const char *path = ctl_path(dir, name, err);
	uint8_t *file;
	size_t len;
	int rv;

	if (path == NULL ||
	    (file = file_read(path, FILE_MAX, &len, err)) == NULL)
		return -1;
	rv = fn(arg, name, path, file, len, err);
	free(file);
	return rv;
}

static int
look_everywhere(const char *dir, ids_fn *fn, void *arg, struct err *err)
{
	struct dirent **names;
	int n = scandir(dir, &names, is_ids, alphasort), rv = 0;

	if (n < 0)
		return err_sys(err, "%s", dir);
	for (int i = 0; i < n; i++) {
		if (rv == 0)
			rv = look_into(dir, names[i]->d_name, fn, arg, err);
		free(names[i]);
	}
	free(names);
	return rv;
}

/* The log, verified, and the pseudonym key. */
static int
begin(const struct ctl_args *args, struct answer *a, uint8_t key[PATIENTS_KEY],
    struct err *err)
{
	const char *secret = ctl_path(args->opt[CTL_DIR], "pseudonym.key", err);
	struct audit_state found;
	uint8_t pk[KEY_PUBLIC];

	a->n_cells = 0;
	a->log = ctl_path(args->opt[CTL_STATE], "audit.log", err);
	if (secret == NULL || a->log == NULL ||
	    ctl_public_key("--public-key", args->opt[CTL_PUBLIC_KEY], pk, err) <
		0 ||
	    audit_verify(a->log, pk, NULL, &found, err) < 0)
		return -1;
	a->lines = found.count;
	return secret_load(secret, key, err);
}

static void
end(struct answer *a, uint8_t key[PATIENTS_KEY])
{
	explicit_bzero(key, PATIENTS_KEY);
	for (size_t i = 0; i < a->n_cells; i++)
		free(a->cells[i]);
}

/*
 * audit of
 */

/* What the log says of a table. */
struct fate {
	char study[64];
	char table[2 * AUDIT_HASH + 1]; /* its digest */
	char prepared[24], approved[24];
	bool stands; /* the approval, at the end */
	unsigned uploads;
};

static int
take_fate(void *arg, const char *when, const char *event, const char *line,
    struct err *err)
{
	struct fate *f = arg;

	(void)err;
	if (!has(line, "study", f->study))
		return 0;
	if (strcmp(event, "upload") == 0 && f->stands)
		f->uploads++;
	else if (strcmp(event, "prepared") == 0 && has(line, "table", f->table))
		snprintf(f->prepared, sizeof(f->prepared), "%s", when);
	else if (strcmp(event, "approve") == 0) {
		f->stands = has(line, "table", f->table);
		if (f->stands)
			snprintf(f->approved, sizeof(f->approved), "%s", when);
	} else if (strcmp(event, "revoke") == 0 || strcmp(event, "refuse") == 0)
		f->stands = false;
	return 0;
}

struct access {
	struct answer *answer;
	uint8_t id[PATIENTS_ID];
};

static int
of_table(void *arg, const char *name, const char *path, const uint8_t *file,
    size_t len, struct err *err)
{
	struct access *a = arg;
	uint8_t table[AUDIT_HASH];
	struct fate f = { 0 };
	char uploads[16];
	const char *row[] = { f.study, f.prepared, f.approved, "never", uploads,
		f.table };
	int rv = patients_find(file, len, path, a->id, table, err);

	if (rv <= 0)
		return rv;
	snprintf(f.study, sizeof(f.study), "%.*s",
	    (int)(strchr(name, '.') - name), name);
	hex_text(table, sizeof(table), f.table);
	if (read_log(a->answer, take_fate, &f, err) < 0)
		return -1;
	if (f.approved[0] != '\0')
		row[3] = f.stands ? "stands" : "taken back";
	snprintf(uploads, sizeof(uploads), "%u", f.uploads);
	return add_row(a->answer, row, nitems(row), err);
}

/* "-": a line of standard input, which no list of processes shows. */
static int
patient_id(const char *operand, const uint8_t key[PATIENTS_KEY],
    uint8_t id[PATIENTS_ID], struct err *err)
{
	char line[4096];
	struct patients *p;

	if (strcmp(operand, "-") == 0) {
		if (fgets(line, sizeof(line), stdin) == NULL)
			return err_set(err, ERR_CONFIG,
			    "standard input: expected a patient's identifier");
		line[strcspn(line, "\r\n")] = '\0';
		operand = line;
	}
	if ((p = patients_new("", key, err)) == NULL)
		return -1;
	patients_id(p, operand, strlen(operand), id);
	patients_free(p);
	explicit_bzero(line, sizeof(line));
	return 0;
}

int
ctl_audit_of(const struct ctl_args *args, struct err *err)
{
	static const char *const columns[] = { "study", "prepared", "approved",
		"approval", "uploads", "table" };
	const char *ids = ctl_path(args->opt[CTL_STATE], "patients", err);
	static struct answer answer;
	struct access a = { .answer = &answer };
	uint8_t key[PATIENTS_KEY];
	int rv = -1;

	if (ids == NULL || begin(args, &answer, key, err) < 0)
		return -1;
	if (patient_id(args->operand, key, a.id, err) == 0 &&
	    look_everywhere(ids, of_table, &a, err) == 0)
		rv = rows_print(columns, nitems(columns),
		    (const char *const *)answer.cells, answer.n_cells,
		    args->json, err);
	end(&answer, key);
	return rv;
}

/*
 * audit objections
 */

struct proof {
	struct answer *answer;
	const char *ids; /* the folder */
	struct patients *patients;
	char list[2 * AUDIT_HASH + 1]; /* what a line has of this list */
	/* Of the line that is looked at: */
	char table[2 * AUDIT_HASH + 1];
	bool found; /* who is in the table */
	size_t in_table; /* of those on the list */
};

static int
in_table(void *arg, const char *name, const char *path, const uint8_t *file,
    size_t len, struct err *err)
{
	struct proof *p = arg;
	uint8_t table[AUDIT_HASH];
	char text[2 * AUDIT_HASH + 1];
	size_t n;

	(void)name;
	if (patients_find_objections(
		file, len, path, p->patients, table, &n, err) < 0)
		return -1;
	hex_text(table, sizeof(table), text);
	if (strcmp(text, p->table) == 0) {
		p->found = true;
		p->in_table = n;
	}
	return 0;
}

static int
take_prepared(void *arg, const char *when, const char *event, const char *line,
    struct err *err)
{
	struct proof *p = arg;
	char study[64], list[2 * AUDIT_HASH + 1], listed[24] = "",
						  left_out[24] = "", n[24] = "";
	const char *row[] = { study, when, "none", listed, left_out, n,
		p->table };

	if (strcmp(event, "prepared") != 0 ||
	    !field(line, "study", study, sizeof(study)) ||
	    !field(line, "table", p->table, sizeof(p->table)))
		return 0;
	if (field(line, "list", list, sizeof(list)))
		row[2] = strcmp(list, p->list) == 0 ? "this" : "another";
	field(line, "objections", listed, sizeof(listed));
	field(line, "left-out", left_out, sizeof(left_out));
	p->found = false;
	if (look_everywhere(p->ids, in_table, p, err) < 0)
		return -1;
	if (p->found)
		snprintf(n, sizeof(n), "%zu", p->in_table);
	return add_row(p->answer, row, nitems(row), err);
}

static int
read_list(struct proof *p, const char *path, const uint8_t key[PATIENTS_KEY],
    struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rv = -1;
	uint8_t digest[AUDIT_HASH];

	if (fd < 0)
		return err_sys(err, "open %s", path);
	if ((p->patients = patients_new("", key, err)) != NULL &&
	    patients_read_objections(p->patients, fd, path, err) == 0) {
		patients_objections(p->patients, digest);
		hex_text(digest, sizeof(digest), p->list);
		rv = 0;
	}
	close(fd);
	return rv;
}

int
ctl_audit_objections(const struct ctl_args *args, struct err *err)
{
	static const char *const columns[] = { "study", "prepared", "list",
		"objections", "left-out", "in-table", "table" };
	static struct answer answer;
	struct proof p = { .answer = &answer,
		.ids = ctl_path(args->opt[CTL_STATE], "patients", err) };
	uint8_t key[PATIENTS_KEY];
	int rv = -1;

	if (p.ids == NULL || begin(args, &answer, key, err) < 0)
		return -1;
	if (read_list(&p, args->operand, key, err) == 0 &&
	    read_log(&answer, take_prepared, &p, err) == 0)
		rv = rows_print(columns, nitems(columns),
		    (const char *const *)answer.cells, answer.n_cells,
		    args->json, err);
	patients_free(p.patients);
	end(&answer, key);
	return rv;
}
