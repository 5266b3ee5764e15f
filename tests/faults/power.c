#include "tests/check.h"
#include "tests/faults/power.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/file.h"
#include "common/macros.h"
#include "tests/faults/fault.h"

#define FILES_MAX 4096
#define FILE_MAX (8u << 20)
#define SECTOR 512

/* A file's bytes: as all writes make them, and as they are sure to be. */
struct node {
	uint64_t inode;
	struct bytes {
		uint8_t *p;
		size_t len;
	} now, sure;
	size_t waits[FILES_MAX]; /* in the log: what is not synced */
	size_t n_waits;
};

struct name {
	char path[256];
	struct node *now, *sure;
};

/* A change of a name that its folder has not been synced after. */
struct change {
	struct name *name;
	struct node *to; /* NULL: it is gone */
	bool with_last; /* of a rename: not without the change before */
};

static struct node *nodes[FILES_MAX];
static struct name names[FILES_MAX];
static struct change changes[FILES_MAX];
static size_t n_nodes, n_names, n_changes;

static struct node *
new_node(uint64_t inode)
{
	struct node *d = calloc(1, sizeof(*d));

	assert_non_null(d);
	assert_true(n_nodes < FILES_MAX);
	d->inode = inode;
	return nodes[n_nodes++] = d;
}

/* The last one: an inode's number is used again when its file has gone. */
static struct node *
find_node(uint64_t inode)
{
	for (size_t i = n_nodes; i-- > 0;) {
		if (nodes[i]->inode == inode)
			return nodes[i];
	}
	return NULL;
}

static struct name *
find_name(const char *path)
{
	for (size_t i = 0; i < n_names; i++) {
		if (strcmp(names[i].path, path) == 0)
			return &names[i];
	}
	assert_true(n_names < FILES_MAX);
	assert_true(strlen(path) < sizeof(names[0].path));
	memset(&names[n_names], 0, sizeof(names[0]));
	strcpy(names[n_names].path, path);
	return &names[n_names++];
}

static void
resize(struct bytes *b, size_t len)
{
	assert_true(len <= FILE_MAX);
	b->p = realloc(b->p, len + 1);
	assert_non_null(b->p);
	if (len > b->len)
		memset(b->p + b->len, 0, len - b->len);
	b->len = len;
}

static void
apply(struct bytes *b, const struct fault_record *r, size_t len)
{
	if (r->op == OP_TRUNCATE) {
		resize(b, r->at);
		return;
	}
	if (r->at + len > b->len)
		resize(b, r->at + len);
	memcpy(b->p + r->at, r + 1, len);
}

static const struct fault_record *
record_at(const struct fault *f, size_t at)
{
	return (const struct fault_record *)(const void *)(f->log + at);
}

/* A file or, if there is none of that inode, a folder. */
static void
on_sync(const struct fault *f, uint64_t inode)
{
	struct node *d = find_node(inode);
	size_t n = 0;

	if (d != NULL) {
		for (size_t i = 0; i < d->n_waits; i++) {
			const struct fault_record *r =
			    record_at(f, d->waits[i]);

			apply(&d->sure, r, r->len);
		}
		d->n_waits = 0;
		return;
	}
	for (size_t i = 0; i < n_changes; i++) {
		char folder[256];
		struct stat st;

		strcpy(folder, changes[i].name->path);
		*strrchr(folder, '/') = '\0';
		if (stat(folder, &st) == 0 && st.st_ino == inode)
			changes[i].name->sure = changes[i].to;
		else
			changes[n++] = changes[i];
	}
	n_changes = n;
}

static void
change(const char *path, struct node *to)
{
	struct name *n = find_name(path);

	n->now = to;
	assert_true(n_changes < FILES_MAX);
	changes[n_changes++] = (struct change){ n, to, false };
}

static void
repeat(const struct fault *f)
{
	size_t at = 0;

	while (at < f->log_len) {
		const struct fault_record *r = record_at(f, at);
		const char *text = (const char *)(r + 1);
		struct node *d;

		switch (r->op) {
		case OP_CREATE:
			change(text, new_node(r->inode));
			break;
		case OP_WRITE:
		case OP_TRUNCATE:
			/* (What another folder has is not ours.) */
			if ((d = find_node(r->inode)) == NULL)
				break;
			apply(&d->now, r, r->len);
			assert_true(d->n_waits < nitems(d->waits));
			d->waits[d->n_waits++] = at;
			break;
		case OP_SYNC:
			on_sync(f, r->inode);
			break;
		case OP_RENAME:
			d = find_name(text)->now;
			change(text + strlen(text) + 1, d);
			change(text, NULL);
			changes[n_changes - 1].with_last = true;
			break;
		case OP_UNLINK:
			change(text, NULL);
			break;
		default:
			fail_msg("record %u", r->op);
		}
		at += sizeof(*r) + ((r->len + 7) & ~(size_t)7);
	}
}

static void
each_file(const char *state, void (*fn)(const char *path))
{
	static const char *const sub[] = { "", "/db", "/spool" };

	for (size_t i = 0; i < nitems(sub); i++) {
		char folder[160], path[480];
		struct dirent *e;
		struct stat st;
		DIR *dir;

		snprintf(folder, sizeof(folder), "%s%s", state, sub[i]);
		assert_non_null(dir = opendir(folder));
		while ((e = readdir(dir)) != NULL) {
			snprintf(
			    path, sizeof(path), "%s/%s", folder, e->d_name);
			if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
				fn(path);
		}
		closedir(dir);
	}
}

static void
forget_all(void)
{
	for (size_t i = 0; i < n_nodes; i++) {
		free(nodes[i]->now.p);
		free(nodes[i]->sure.p);
		free(nodes[i]);
	}
	n_nodes = n_names = n_changes = 0;
}

static void
check_file(const char *path)
{
	const struct node *d = find_name(path)->now;
	struct err err;
	size_t len;
	uint8_t *p = file_read(path, FILE_MAX, &len, &err);

	assert_non_null(p);
	if (d == NULL || d->now.len != len ||
	    (len > 0 && memcmp(d->now.p, p, len) != 0))
		fail_msg("%s: changed by something that is not recorded", path);
	free(p);
}

static bool
by_chance(unsigned *seed)
{
	return *seed != 0 && rand_r(seed) % 2 == 0;
}

/* What the disk may have got of it all the same. */
static void
let_some_through(const struct fault *f, unsigned *seed)
{
	bool through = false;

	for (size_t i = 0; i < n_nodes; i++) {
		struct node *d = nodes[i];

		for (size_t k = 0; k < d->n_waits; k++) {
			const struct fault_record *r =
			    record_at(f, d->waits[k]);
			size_t len = r->len;

			if (!by_chance(seed))
				continue;
			if (len > SECTOR && by_chance(seed))
				len = (size_t)rand_r(seed) % (len / SECTOR) *
				    SECTOR;
			apply(&d->sure, r, len);
		}
	}
	for (size_t i = 0; i < n_changes; i++) {
		through = changes[i].with_last ? through : by_chance(seed);
		if (through)
			changes[i].name->sure = changes[i].to;
	}
}

/*
 * Between power_on() and power_loss() the files as they were lie beside the
 * state, in STATE.on, with the inodes that they had.
 */
static void
paths(const char *state, char copy[160])
{
	snprintf(copy, 160, "%s.on", state);
}

static FILE *list;

static void
keep_file(const char *path)
{
	struct err err;
	struct stat st;
	size_t len;
	uint8_t *p = file_read(path, FILE_MAX, &len, &err);

	assert_non_null(p);
	assert_int_equal(stat(path, &st), 0);
	fprintf(
	    list, "%s %llu %zu\n", path, (unsigned long long)st.st_ino, len);
	fwrite(p, 1, len, list);
	free(p);
}

void
power_on(const char *state, struct fault *f)
{
	char copy[160];

	paths(state, copy);
	assert_non_null(list = fopen(copy, "we"));
	each_file(state, keep_file);
	assert_int_equal(fclose(list), 0);
	f->log_len = 0;
	f->record = true;
}

static void
read_kept(const char *state)
{
	unsigned long long inode;
	char copy[160], path[256];
	size_t len;
	FILE *in;

	paths(state, copy);
	assert_non_null(in = fopen(copy, "re"));
	while (fscanf(in, "%255s %llu %zu", path, &inode, &len) == 3) {
		struct node *d = new_node(inode);
		struct name *n = find_name(path);

		assert_int_equal(fgetc(in), '\n');
		resize(&d->now, len);
		resize(&d->sure, len);
		assert_int_equal(fread(d->now.p, 1, len, in), len);
		memcpy(d->sure.p, d->now.p, len);
		n->now = n->sure = d;
	}
	fclose(in);
}

void
power_loss(const char *state, struct fault *f, unsigned seed)
{
	struct err err;

	read_kept(state);
	repeat(f);
	each_file(state, check_file);
	let_some_through(f, &seed);
	for (size_t i = 0; i < n_names; i++) {
		const struct node *d = names[i].sure;

		if (d == NULL)
			unlink(names[i].path);
		else if (file_write(names[i].path,
			     d->sure.p != NULL ? d->sure.p : (const void *)"",
			     d->sure.len, 0600, &err) < 0)
			fail_msg("%s", err.msg);
	}
	forget_all();
	power_on(state, f);
}
