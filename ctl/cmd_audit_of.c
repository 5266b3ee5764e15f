/*
 * Subject access: in which studies were a patient's rows used?  The reader has
 * left keyed hashes of the patients with each table; the audit log says what
 * became of the table.  Nothing is asked of the daemon.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
#define COLUMNS 6
#define FILE_MAX ((size_t)256 * 1024 * 1024)

/* What the log says of a table. */
struct fate {
	char study[64];
	char table[2 * AUDIT_HASH + 1]; /* its digest */
	char prepared[24], approved[24];
	bool stands; /* the approval, at the end */
	unsigned uploads;
};

/* Is there that field?  What stands in a quoted value is none. */
static bool
has(const char *line, const char *name, const char *value)
{
	size_t name_len = strlen(name), len;

	while ((line = strchr(line, ' ')) != NULL) {
		len = strcspn(++line, "= ");
		if (line[len] != '=')
			continue;
		if (line[len + 1] == '"') {
			if ((line = strchr(line + len + 2, '"')) == NULL)
				return false;
			continue;
		}
		if (len == name_len && memcmp(line, name, len) == 0 &&
		    strcspn(line + len + 1, " ") == strlen(value) &&
		    strncmp(line + len + 1, value, strlen(value)) == 0)
			return true;
	}
	return false;
}

/* A line of the log: "SEQ UTC EVENT fields". */
static void
take_line(struct fate *f, const char *line)
{
	char when[24], event[48];

	if (sscanf(line, "%*u %23s %47s", when, event) != 2 ||
	    !has(line, "study", f->study))
		return;
	if (strcmp(event, "upload") == 0 && f->stands) {
		f->uploads++;
		return;
	}
	if (strcmp(event, "prepared") == 0 && has(line, "table", f->table))
		snprintf(f->prepared, sizeof(f->prepared), "%s", when);
	if (strcmp(event, "approve") == 0) {
		f->stands = has(line, "table", f->table);
		if (f->stands)
			snprintf(f->approved, sizeof(f->approved), "%s", when);
	}
	if (strcmp(event, "revoke") == 0 || strcmp(event, "refuse") == 0)
		f->stands = false;
}

static int
read_log(const char *path, uint64_t lines, struct fate *f, struct err *err)
{
	static char line[AUDIT_LINE_MAX + 1];
	FILE *log = fopen(path, "re");
	int rv = 0;

	if (log == NULL)
		return err_sys(err, "open %s", path);
	for (uint64_t i = 0; i < lines; i++) {
		if (fgets(line, sizeof(line), log) == NULL) {
			rv = err_set(err, ERR_SYSTEM,
			    "%s: has fewer lines than were verified", path);
			break;
		}
		line[strcspn(line, "\n")] = '\0';
		take_line(f, line);
	}
	fclose(log);
	return rv;
}

struct access {
	const struct ctl_args *args;
	uint8_t id[PATIENTS_ID];
	const char *log;
	uint64_t lines; /* of it, that were verified */
	char *cells[COLUMNS * 1024];
	size_t n_cells;
};

static int
add_row(struct access *a, const struct fate *f, struct err *err)
{
	char uploads[16];
	const char *row[COLUMNS] = { f->study, f->prepared, f->approved,
		f->approved[0] == '\0' ? "never"
		    : f->stands        ? "stands"
				       : "taken back",
		uploads, f->table };

	if (a->n_cells + COLUMNS > nitems(a->cells))
		return err_set(err, ERR_REFUSED, "more tables than are shown");
	snprintf(uploads, sizeof(uploads), "%u", f->uploads);
	for (size_t i = 0; i < COLUMNS; i++) {
		if ((a->cells[a->n_cells] = strdup(row[i])) == NULL)
			return err_sys(err, "rows");
		a->n_cells++;
	}
	return 0;
}

/* STUDY.JOB.ids: is the patient in it? */
static int
look_into(struct access *a, const char *dir, const char *name, struct err *err)
{
	const char *path = ctl_path(dir, name, err), *dot;
	uint8_t table[AUDIT_HASH], *file;
	struct fate f = { 0 };
	size_t len;
	int rv;

	if (path == NULL ||
	    (file = file_read(path, FILE_MAX, &len, err)) == NULL)
		return -1;
	rv = patients_find(file, len, path, a->id, table, err);
	free(file);
	if (rv <= 0)
		return rv;
	dot = strchr(name, '.');
	snprintf(f.study, sizeof(f.study), "%.*s", (int)(dot - name), name);
	hex_text(table, sizeof(table), f.table);
	if (read_log(a->log, a->lines, &f, err) < 0)
		return -1;
	return add_row(a, &f, err);
}

static int
is_ids(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return file_name_ok(d->d_name) && n > strlen(SUFFIX) &&
	    strcmp(d->d_name + n - strlen(SUFFIX), SUFFIX) == 0;
}

static int
look_everywhere(struct access *a, const char *dir, struct err *err)
{
	struct dirent **names;
	int n = scandir(dir, &names, is_ids, alphasort), rv = 0;

	if (n < 0)
		return err_sys(err, "%s", dir);
	for (int i = 0; i < n; i++) {
		if (rv == 0)
			rv = look_into(a, dir, names[i]->d_name, err);
		free(names[i]);
	}
	free(names);
	return rv;
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
	static const char *const columns[COLUMNS] = { "study", "prepared",
		"approved", "approval", "uploads", "table" };
	const char *secret = ctl_path(args->opt[CTL_DIR], "pseudonym.key", err);
	const char *ids = ctl_path(args->opt[CTL_STATE], "patients", err);
	static struct access a;
	uint8_t key[PATIENTS_KEY], pk[KEY_PUBLIC];
	struct audit_state found;
	int rv = -1;

	a.n_cells = 0;
	a.args = args;
	a.log = ctl_path(args->opt[CTL_STATE], "audit.log", err);
	if (secret == NULL || ids == NULL || a.log == NULL ||
	    ctl_public_key("--public-key", args->opt[CTL_PUBLIC_KEY], pk, err) <
		0 ||
	    audit_verify(a.log, pk, NULL, &found, err) < 0 ||
	    secret_load(secret, key, err) < 0)
		return -1;
	a.lines = found.count;
	if (patient_id(args->operand, key, a.id, err) == 0 &&
	    look_everywhere(&a, ids, err) == 0)
		rv = rows_print(columns, COLUMNS, (const char *const *)a.cells,
		    a.n_cells, args->json, err);
	explicit_bzero(key, sizeof(key));
	for (size_t i = 0; i < a.n_cells; i++)
		free(a.cells[i]);
	return rv;
}
