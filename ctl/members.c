#include "config.h"

#include "ctl/members.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/file.h"
#include "common/hex.h"
#include "common/ini.h"
#include "common/macros.h"

/* One section, whoever it is of. */
struct entry {
	struct manifest_site site; /* id 0: the coordinator */
	char *host;
	size_t id;
	int status;
};

struct members {
	char *path;
	struct ini *ini;
	char *consortium;
	struct entry *entries; /* (n_entries) in the file's order */
	size_t n_entries;
	struct entry *coordinator; /* in entries, or NULL */
	struct manifest_site *sites; /* (n_sites) by id */
	size_t n_sites;
};

static const char *const status_words[] = { "active", "revoked", NULL };

static int
parse_hash(struct ini *ini, const struct ini_field *f, char *value, void *out,
    struct err *err)
{
	if (hex_bytes(value, out, MANIFEST_ID) < 0)
		return ini_error(ini, value, err,
		    "%s: expected %d hexadecimal digits", f->key,
		    2 * MANIFEST_ID);
	return 0;
}

static int
parse_name(struct ini *ini, const struct ini_field *f, char *value, void *out,
    struct err *err)
{
	struct err why;

	if (manifest_name_check(f->key, value, &why) < 0)
		return ini_error(ini, value, err, "%s", why.msg);
	*(char **)out = value;
	return 0;
}

#define MEMBER_FIELDS                                                          \
	{ "key", parse_hash, offsetof(struct entry, site.member.key),          \
		.required = true },                                            \
	{                                                                      \
		"tls", parse_hash, offsetof(struct entry, site.member.tls),    \
		    .required = true                                           \
	}

static const struct ini_field consortium_fields[] = {
	{ "name", parse_name, offsetof(struct members, consortium),
	    .required = true },
};

static const struct ini_field coordinator_fields[] = {
	{ "host", ini_text, offsetof(struct entry, host), .required = true,
	    .max = JOIN_HOST_MAX },
	MEMBER_FIELDS,
};

static const struct ini_field site_fields[] = {
	{ "id", ini_size, offsetof(struct entry, id), .required = true,
	    .min = 1, .max = UINT16_MAX },
	{ "status", ini_word, offsetof(struct entry, status), .required = true,
	    .words = status_words },
	MEMBER_FIELDS,
};

static struct entry *
place(struct ini *ini, const struct ini_section *s, struct members *m,
    struct err *err)
{
	struct entry *e = &m->entries[m->n_entries];
	struct err why;

	if (manifest_name_check("a member's name", s->arg, &why) < 0) {
		ini_error(ini, s->arg, err, "%s", why.msg);
		return NULL;
	}
	strcpy(e->site.member.name, s->arg); /* checked above */
	m->n_entries++;
	return e;
}

static void *
place_coordinator(
    struct ini *ini, const struct ini_section *s, void *ctx, struct err *err)
{
	struct members *m = ctx;

	if (m->coordinator != NULL) {
		ini_error(ini, s->name, err, "a second coordinator");
		return NULL;
	}
	return m->coordinator = place(ini, s, m, err);
}

static void *
place_site(
    struct ini *ini, const struct ini_section *s, void *ctx, struct err *err)
{
	return place(ini, s, ctx, err);
}

static const struct ini_kind kinds[] = {
	{ "consortium", INI_NO_ARG, true, consortium_fields,
	    nitems(consortium_fields), .offset = 0 },
	{ "coordinator", INI_ARG, false, coordinator_fields,
	    nitems(coordinator_fields), .place = place_coordinator },
	{ "site", INI_ARG, false, site_fields, nitems(site_fields),
	    .place = place_site },
};

int
members_create(const char *path, const char *consortium, struct err *err)
{
	static const char head[] =
	    "# The members of this consortium.  \"consiliumctl join\" adds to "
	    "this file.\n"
	    "# To revoke a site, set its status to revoked and sign a new "
	    "manifest.\n\n"
	    "[consortium]\nname = ";
	struct canon text = { 0 };
	int rv;

	canon_raw(&text, head, strlen(head));
	canon_raw(&text, consortium, strlen(consortium));
	canon_u8(&text, '\n');
	rv = text.failed ? err_sys(err, "%s", path)
			 : file_create(path, text.data, text.len, 0600, err);
	canon_free(&text);
	return rv;
}

static int
by_id(const void *a, const void *b)
{
	const struct manifest_site *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* The sites of the entries, in order. */
static int
sort_sites(struct members *m, struct err *err)
{
	m->sites = calloc(m->n_entries + 1, sizeof(*m->sites));
	if (m->sites == NULL)
		return err_sys(err, "%s", m->path);
	m->n_sites = 0;
	for (size_t i = 0; i < m->n_entries; i++) {
		struct entry *e = &m->entries[i];

		if (e == m->coordinator)
			continue;
		e->site.id = (uint16_t)e->id;
		e->site.active = e->status == 0;
		m->sites[m->n_sites++] = e->site;
	}
	qsort(m->sites, m->n_sites, sizeof(*m->sites), by_id);
	return 0;
}

struct members *
members_load(const char *path, struct err *err)
{
	struct members *m = calloc(1, sizeof(*m));
	size_t n;

	if (m == NULL || (m->path = strdup(path)) == NULL) {
		err_sys(err, "%s", path);
		goto bad;
	}
	if ((m->ini = ini_load(path, err)) == NULL)
		goto bad;
	ini_sections(m->ini, &n);
	if ((m->entries = calloc(n + 1, sizeof(*m->entries))) == NULL) {
		err_sys(err, "%s", path);
		goto bad;
	}
	if (ini_read(m->ini, kinds, nitems(kinds), m, err) < 0 ||
	    sort_sites(m, err) < 0)
		goto bad;
	return m;
bad:
	members_free(m);
	return NULL;
}

void
members_free(struct members *m)
{
	if (m == NULL)
		return;
	ini_free(m->ini);
	free(m->entries);
	free(m->sites);
	free(m->path);
	free(m);
}

const char *
members_consortium(const struct members *m)
{
	return m->consortium;
}

const struct manifest_member *
members_coordinator(const struct members *m)
{
	return m->coordinator != NULL ? &m->coordinator->site.member : NULL;
}

const struct manifest_site *
members_sites(const struct members *m, size_t *n)
{
	*n = m->n_sites;
	return m->sites;
}

/*
 * Who of the members shares a name or a key with r?  1: r itself, joined
 * before; 0: nobody; -1: refused.
 */
static int
find(const struct members *m, const struct join_request *r,
    const uint8_t tls[MANIFEST_ID], uint16_t *id, struct err *err)
{
	for (size_t i = 0; i < m->n_entries; i++) {
		const struct entry *e = &m->entries[i];
		const struct manifest_member *old = &e->site.member;
		bool role =
		    (e == m->coordinator) == (r->role == JOIN_COORDINATOR);
		bool name = strcmp(old->name, r->name) == 0;
		bool key = memcmp(old->key, r->key, KEY_PUBLIC) == 0;
		bool tls_key = memcmp(old->tls, tls, MANIFEST_ID) == 0;

		if (!name && !key && !tls_key)
			continue;
		if (!role || !name || !key || !tls_key)
			return err_set(err, ERR_REFUSED,
			    "%s is a member already, and %s", old->name,
			    name ? "has other keys than this request"
				 : "has this request's key");
		if (e->status != 0)
			return err_set(err, ERR_REFUSED, "%s was revoked (%s)",
			    old->name, m->path);
		*id = e->site.id;
		return 1;
	}
	if (r->role == JOIN_COORDINATOR && m->coordinator != NULL)
		return err_set(err, ERR_REFUSED,
		    "%s has a coordinator already: %s", m->consortium,
		    m->coordinator->site.member.name);
	return 0;
}

static int
append(const struct members *m, const char *section, struct err *err)
{
	struct canon all = { 0 };
	uint8_t *text;
	size_t len;
	int rv;

	if ((text = file_read(m->path, INI_FILE_MAX, &len, err)) == NULL)
		return -1;
	canon_raw(&all, text, len);
	canon_raw(&all, section, strlen(section));
	free(text);
	rv = all.failed ? err_sys(err, "%s", m->path)
			: file_write(m->path, all.data, all.len, 0600, err);
	canon_free(&all);
	return rv;
}

int
members_add(struct members *m, const struct join_request *r,
    const uint8_t tls[MANIFEST_ID], uint16_t *id, struct err *err)
{
	char key_hex[KEY_PUBLIC_TEXT], tls_hex[2 * MANIFEST_ID + 1];
	char head[512], section[1024];
	uint16_t last = m->n_sites != 0 ? m->sites[m->n_sites - 1].id : 0;
	int rv = find(m, r, tls, id, err);

	if (rv != 0)
		return rv < 0 ? -1 : 0;
	if (m->n_sites == MANIFEST_SITES_MAX || last == UINT16_MAX)
		return err_set(err, ERR_REFUSED,
		    "%s: no room for another site, expected at most %d",
		    m->path, MANIFEST_SITES_MAX);
	*id = r->role == JOIN_SITE ? (uint16_t)(last + 1) : 0;
	if (r->role == JOIN_SITE)
		snprintf(head, sizeof(head),
		    "[site %s]\nid = %u\nstatus = active\n", r->name, *id);
	else
		snprintf(head, sizeof(head), "[coordinator %s]\nhost = %s\n",
		    r->name, r->host);
	hex_text(r->key, KEY_PUBLIC, key_hex);
	hex_text(tls, MANIFEST_ID, tls_hex);
	snprintf(section, sizeof(section), "\n%skey = %s\ntls = %s\n", head,
	    key_hex, tls_hex);
	return append(m, section, err);
}

/* What is written in the file once, written anew; as long as before. */
static int
rewrite(uint8_t *text, const uint8_t *old, const uint8_t *new, size_t n)
{
	char before[2 * MANIFEST_ID + 1], after[2 * MANIFEST_ID + 1];
	char *at;

	hex_text(old, n, before);
	hex_text(new, n, after);
	if ((at = strcasestr((char *)text, before)) == NULL)
		return -1;
	memcpy(at, after, 2 * n);
	return 0;
}

int
members_replace(struct members *m, const struct join_request *r,
    const uint8_t tls[MANIFEST_ID], uint16_t *id, struct err *err)
{
	const struct entry *old = NULL;
	uint8_t *text;
	size_t len;
	int rv = -1;

	for (size_t i = 0; i < m->n_entries; i++) {
		const struct entry *e = &m->entries[i];
		const struct manifest_member *member = &e->site.member;

		if (strcmp(member->name, r->name) == 0 && e->status == 0 &&
		    e != m->coordinator && r->role == JOIN_SITE)
			old = e;
		if (memcmp(member->key, r->key, KEY_PUBLIC) == 0 ||
		    memcmp(member->tls, tls, MANIFEST_ID) == 0)
			return err_set(err, ERR_REFUSED,
			    "%s: the request has a key of %s, expected new "
			    "ones",
			    m->path, member->name);
	}
	if (old == NULL)
		return err_set(err, ERR_REFUSED,
		    "%s: no active site of the name %s", m->path, r->name);
	*id = old->site.id;
	if ((text = file_read(m->path, INI_FILE_MAX, &len, err)) == NULL)
		return -1;
	if (rewrite(text, old->site.member.key, r->key, KEY_PUBLIC) < 0 ||
	    rewrite(text, old->site.member.tls, tls, MANIFEST_ID) < 0)
		err_set(err, ERR_FORMAT, "%s: the keys of %s are not found",
		    m->path, r->name);
	else
		rv = file_write(m->path, text, len, 0600, err);
	free(text);
	return rv;
}
