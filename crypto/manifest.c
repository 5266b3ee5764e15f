#include "crypto/manifest.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/hex.h"
#include "common/macros.h"
#include "crypto/audit.h"
#include "crypto/signed.h"

struct manifest_policy
manifest_policy_default(void)
{
	return (struct manifest_policy){
		.corrupted = 1,
		.honest_min = 2,
		.u_frac_ppm = 750000,
		.suites = 3,
		.weight_cap = 1u << 24,
	};
}

void
manifest_consortium_id(
    const char *name, const uint8_t root[KEY_PUBLIC], uint8_t out[MANIFEST_ID])
{
	uint8_t room[4 + sizeof(SIGNED_LABEL "consortium") + 4 +
	    MANIFEST_NAME_MAX + KEY_PUBLIC];
	struct canon c = canon_on(room, sizeof(room));

	canon_text(&c, SIGNED_LABEL "consortium");
	canon_text(&c, name);
	canon_raw(&c, root, KEY_PUBLIC);
	crypto_hash_sha256(out, c.data, c.len);
}

int
manifest_name_check(const char *what, const char *name, struct err *err)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	if (name[len] != '\0' || len < 1 || len > MANIFEST_NAME_MAX)
		return err_set(err, ERR_CONFIG,
		    "%s: expected 1 to %d of a-z, 0-9 and -", what,
		    MANIFEST_NAME_MAX);
	return 0;
}

static int
check_policy(const struct manifest_policy *p, struct err *err)
{
	const struct {
		const char *name;
		uint64_t value, min, max;
	} bounds[] = {
		{ "corrupted", p->corrupted, 1, MANIFEST_SITES_MAX },
		{ "honest-min", p->honest_min, 2, MANIFEST_SITES_MAX },
		{ "u-frac", p->u_frac_ppm, 1, MANIFEST_PPM },
		{ "suites", p->suites, 1, 3 },
		{ "weight-cap", p->weight_cap, 1, UINT64_C(1) << 32 },
	};

	for (size_t i = 0; i < nitems(bounds); i++) {
		if (bounds[i].value < bounds[i].min ||
		    bounds[i].value > bounds[i].max)
			return err_set(err, ERR_FORMAT,
			    "manifest: policy %s is %llu, expected %llu to "
			    "%llu",
			    bounds[i].name, (unsigned long long)bounds[i].value,
			    (unsigned long long)bounds[i].min,
			    (unsigned long long)bounds[i].max);
	}
	return 0;
}

static int
check_member(const struct manifest_member *m, struct err *err)
{
	if (manifest_name_check("manifest: a member's name", m->name, err) < 0)
		return -1;
	if (key_public_check(m->key, err) < 0)
		return err_prefix(err, "manifest: %s", m->name);
	return 0;
}

static int
by_name(const void *a, const void *b)
{
	const struct manifest_member *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static int
by_key(const void *a, const void *b)
{
	const struct manifest_member *const *x = a, *const *y = b;

	return memcmp((*x)->key, (*y)->key, sizeof((*x)->key));
}

static int
by_tls(const void *a, const void *b)
{
	const struct manifest_member *const *x = a, *const *y = b;

	return memcmp((*x)->tls, (*y)->tls, sizeof((*x)->tls));
}

/* No two members share a name, an identity key or a TLS key. */
static int
check_distinct(const struct manifest *m, struct err *err)
{
	static const struct {
		const char *what;
		int (*order)(const void *, const void *);
	} orders[] = {
		{ "name", by_name },
		{ "identity key", by_key },
		{ "TLS key", by_tls },
	};
	const struct manifest_member *all[MANIFEST_SITES_MAX + 1];
	size_t n = 0;

	all[n++] = &m->coordinator;
	for (size_t i = 0; i < m->n_sites; i++)
		all[n++] = &m->sites[i].member;
	for (size_t o = 0; o < nitems(orders); o++) {
		qsort(all, n, sizeof(all[0]), orders[o].order);
		for (size_t i = 1; i < n; i++) {
			if (orders[o].order(&all[i - 1], &all[i]) == 0)
				return err_set(err, ERR_FORMAT,
				    "manifest: %s and %s have the same %s",
				    all[i - 1]->name, all[i]->name,
				    orders[o].what);
		}
	}
	return 0;
}

static int
check(const struct manifest *m, struct err *err)
{
	if (manifest_name_check("manifest: consortium", m->consortium, err) < 0)
		return -1;
	if (m->epoch == 0)
		return err_set(
		    err, ERR_FORMAT, "manifest: epoch 0, expected 1 or more");
	if (m->n_sites < 1 || m->n_sites > MANIFEST_SITES_MAX)
		return err_set(err, ERR_FORMAT,
		    "manifest: %zu sites, expected 1 to %d", m->n_sites,
		    MANIFEST_SITES_MAX);
	if (check_policy(&m->policy, err) < 0 ||
	    check_member(&m->coordinator, err) < 0)
		return -1;
	for (size_t i = 0; i < m->n_sites; i++) {
		if (check_member(&m->sites[i].member, err) < 0)
			return -1;
		if (m->sites[i].id <= (i == 0 ? 0 : m->sites[i - 1].id))
			return err_set(err, ERR_FORMAT,
			    "manifest: %s: ids have to increase from 1",
			    m->sites[i].member.name);
	}
	return check_distinct(m, err);
}

static void
put_member(struct canon *c, const struct manifest_member *m)
{
	canon_text(c, m->name);
	canon_raw(c, m->key, sizeof(m->key));
	canon_raw(c, m->tls, sizeof(m->tls));
}

static void
get_member(struct canon_in *in, struct manifest_member *m)
{
	canon_get_text(in, m->name, sizeof(m->name));
	canon_get_raw(in, m->key, sizeof(m->key));
	canon_get_raw(in, m->tls, sizeof(m->tls));
}

/*
 * Roots
 */

#define CHANGE_TYPE "root-change"

const uint8_t *
manifest_root_at(const struct manifest_roots *r, size_t k)
{
	return k == 0 ? r->first : r->changes[k - 1].next;
}

const uint8_t *
manifest_root(const struct manifest_roots *r)
{
	return manifest_root_at(r, r->n);
}

#define CHANGE_SIZE (MANIFEST_ID + 2 + 2 * KEY_PUBLIC + 4)

/* What the root at place k signs: that the next one signs from an epoch on. */
static void
put_change(struct canon *c, const struct manifest_roots *r, size_t k,
    const uint8_t id[MANIFEST_ID])
{
	canon_raw(c, id, MANIFEST_ID);
	canon_u16(c, (uint16_t)(k + 1));
	canon_raw(c, manifest_root_at(r, k), KEY_PUBLIC);
	canon_raw(c, r->changes[k].next, KEY_PUBLIC);
	canon_u32(c, r->changes[k].epoch);
}

int
manifest_change_root(struct manifest_roots *r, const char *consortium,
    const struct key *old, const uint8_t next[KEY_PUBLIC], uint32_t epoch,
    struct err *err)
{
	struct manifest_change *change = &r->changes[r->n];
	uint8_t id[MANIFEST_ID], room[CHANGE_SIZE];
	struct canon c = canon_on(room, sizeof(room));

	if (memcmp(manifest_root(r), key_public(old), KEY_PUBLIC) != 0)
		return err_set(
		    err, ERR_CONFIG, "not the key of the root that signs now");
	if (r->n == MANIFEST_CHANGES_MAX)
		return err_set(err, ERR_CONFIG,
		    "the root has changed %d times already",
		    MANIFEST_CHANGES_MAX);
	manifest_consortium_id(consortium, r->first, id);
	memcpy(change->next, next, KEY_PUBLIC);
	change->epoch = epoch;
	put_change(&c, r, r->n, id);
	signed_sign(old, CHANGE_TYPE, c.data, c.len, change->sig);
	r->n++;
	return 0;
}

/* Each has signed the next, in order. */
static int
check_roots(const struct manifest_roots *r, const uint8_t id[MANIFEST_ID],
    uint32_t epoch, struct err *err)
{
	if (key_public_check(r->first, err) < 0)
		return err_prefix(err, "manifest: root");
	for (size_t k = 0; k < r->n; k++) {
		const struct manifest_change *change = &r->changes[k];
		uint8_t room[CHANGE_SIZE];
		struct canon c = canon_on(room, sizeof(room));

		if (key_public_check(change->next, err) < 0)
			return err_prefix(err, "manifest: root");
		if (change->epoch <= (k == 0 ? 0 : r->changes[k - 1].epoch) ||
		    change->epoch > epoch)
			return err_set(err, ERR_FORMAT,
			    "manifest: roots that follow in epoch %u",
			    change->epoch);
		put_change(&c, r, k, id);
		if (signed_check(manifest_root_at(r, k), CHANGE_TYPE, c.data,
			c.len, change->sig, err) < 0)
			return err_prefix(
			    err, "manifest: change of root %zu", k + 1);
	}
	return 0;
}

int
manifest_roots_follow(const struct manifest_roots *before,
    const struct manifest_roots *now, struct err *err)
{
	size_t same = MIN(before->n, now->n);
	bool fork = memcmp(before->first, now->first, KEY_PUBLIC) != 0;

	for (size_t k = 0; k < same; k++)
		fork |= memcmp(before->changes[k].next, now->changes[k].next,
			    KEY_PUBLIC) != 0;
	if (fork)
		return err_set(err, ERR_REFUSED,
		    "a root has signed two that follow it: this is not the "
		    "one that was adopted here");
	if (now->n < before->n)
		return err_set(err, ERR_REFUSED,
		    "signed by a root that has handed over to another");
	return 0;
}

int
manifest_follows(
    const struct manifest *before, const struct manifest *now, struct err *err)
{
	if (before == NULL)
		return 0;
	if (now->epoch <= before->epoch)
		return err_set(err, ERR_REFUSED,
		    "manifest epoch %u, expected one above %u", now->epoch,
		    before->epoch);
	if (memcmp(now->consortium_id, before->consortium_id, MANIFEST_ID) != 0)
		return err_set(err, ERR_REFUSED,
		    "manifest of another consortium, %s", now->consortium);
	return manifest_roots_follow(&before->roots, &now->roots, err);
}

int
manifest_audit(const struct manifest *before, const struct manifest *now,
    struct audit *a, char root[KEY_PUBLIC_TEXT], struct err *err)
{
	char epoch[16], digest[2 * MANIFEST_ID + 1], old[KEY_PUBLIC_TEXT];

	root[0] = '\0';
	if (before != NULL && now->roots.n != before->roots.n) {
		hex_text(manifest_root(&before->roots), KEY_PUBLIC, old);
		hex_text(manifest_root(&now->roots), KEY_PUBLIC, root);
		if (audit_event(
			a, err, "root", "before", old, "now", root, NULL) < 0)
			return -1;
	}
	snprintf(epoch, sizeof(epoch), "%u", now->epoch);
	hex_text(now->digest, sizeof(now->digest), digest);
	return audit_event(a, err, "manifest", "consortium", now->consortium,
	    "epoch", epoch, "digest", digest, NULL);
}

void
manifest_roots_put(struct canon *c, const struct manifest_roots *r)
{
	canon_raw(c, r->first, KEY_PUBLIC);
	canon_u16(c, (uint16_t)r->n);
	for (size_t k = 0; k < r->n; k++) {
		canon_raw(c, r->changes[k].next, KEY_PUBLIC);
		canon_u32(c, r->changes[k].epoch);
		canon_raw(c, r->changes[k].sig, KEY_SIGNATURE);
	}
}

void
manifest_roots_get(struct canon_in *in, struct manifest_roots *r)
{
	canon_get_raw(in, r->first, KEY_PUBLIC);
	r->n = canon_get_u16(in);
	if (r->n > MANIFEST_CHANGES_MAX) {
		in->failed = true;
		r->n = 0;
	}
	for (size_t k = 0; k < r->n; k++) {
		canon_get_raw(in, r->changes[k].next, KEY_PUBLIC);
		r->changes[k].epoch = canon_get_u32(in);
		canon_get_raw(in, r->changes[k].sig, KEY_SIGNATURE);
	}
}

int
manifest_sign(struct manifest *m, const struct key *root, struct canon *out,
    struct err *err)
{
	struct canon c = { 0 };
	int rv;

	if (m->roots.n == 0)
		memcpy(m->roots.first, key_public(root), KEY_PUBLIC);
	manifest_consortium_id(m->consortium, m->roots.first, m->consortium_id);
	if (memcmp(manifest_root(&m->roots), key_public(root), KEY_PUBLIC) != 0)
		return err_set(err, ERR_CONFIG,
		    "manifest: not the key of the root that signs now");
	if (check(m, err) < 0 ||
	    check_roots(&m->roots, m->consortium_id, m->epoch, err) < 0) {
		err->code = ERR_CONFIG; /* the operator's, not a file's */
		return -1;
	}
	manifest_roots_put(&c, &m->roots);
	canon_text(&c, m->consortium);
	canon_raw(&c, m->consortium_id, sizeof(m->consortium_id));
	canon_u32(&c, m->epoch);
	canon_u16(&c, m->policy.corrupted);
	canon_u16(&c, m->policy.honest_min);
	canon_u32(&c, m->policy.u_frac_ppm);
	canon_u32(&c, m->policy.suites);
	canon_u64(&c, m->policy.weight_cap);
	put_member(&c, &m->coordinator);
	canon_u32(&c, (uint32_t)m->n_sites);
	for (size_t i = 0; i < m->n_sites; i++) {
		canon_u16(&c, m->sites[i].id);
		canon_u8(&c, m->sites[i].active);
		put_member(&c, &m->sites[i].member);
	}
	if (c.failed)
		rv = err_sys(err, "manifest");
	else
		rv = signed_make(root, MANIFEST_TYPE, c.data, c.len, out, err);
	canon_free(&c);
	return rv;
}

static int
get_sites(struct canon_in *in, struct manifest *m, struct err *err)
{
	uint32_t n = canon_get_u32(in);

	if (in->failed || n < 1 || n > MANIFEST_SITES_MAX)
		return err_set(err, ERR_FORMAT,
		    "manifest: %u sites, expected 1 to %d", n,
		    MANIFEST_SITES_MAX);
	if ((m->sites = calloc(n, sizeof(*m->sites))) == NULL)
		return err_sys(err, "manifest");
	m->n_sites = n;
	for (size_t i = 0; i < n; i++) {
		uint8_t active;

		m->sites[i].id = canon_get_u16(in);
		active = canon_get_u8(in);
		if (active > 1)
			in->failed = true;
		m->sites[i].active = active == 1;
		get_member(in, &m->sites[i].member);
	}
	return 0;
}

static int
decode(struct manifest *m, struct canon_in *in, struct err *err)
{
	manifest_roots_get(in, &m->roots);
	canon_get_text(in, m->consortium, sizeof(m->consortium));
	canon_get_raw(in, m->consortium_id, sizeof(m->consortium_id));
	m->epoch = canon_get_u32(in);
	m->policy.corrupted = canon_get_u16(in);
	m->policy.honest_min = canon_get_u16(in);
	m->policy.u_frac_ppm = canon_get_u32(in);
	m->policy.suites = canon_get_u32(in);
	m->policy.weight_cap = canon_get_u64(in);
	get_member(in, &m->coordinator);
	if (get_sites(in, m, err) < 0 || canon_end(in, "manifest", err) < 0)
		return -1;
	return check(m, err);
}

/* What a manifest begins with, whoever has signed it; in goes on behind it. */
static int
peek_roots(const void *object, size_t len, struct canon_in *in,
    struct manifest_roots *roots, struct err *err)
{
	const uint8_t *content;
	size_t content_len;

	if (signed_peek(object, len, MANIFEST_TYPE, MANIFEST_MAX, &content,
		&content_len, err) < 0)
		return -1;
	*in = canon_in(content, content_len);
	manifest_roots_get(in, roots);
	return in->failed ? err_set(err, ERR_FORMAT, "manifest: cut short") : 0;
}

/* Whose signature is under it, if root is among those that it says have been:
   -1 and the reason if not. */
static int
find_signer(const void *object, size_t len, const uint8_t root[KEY_PUBLIC],
    uint8_t signer[KEY_PUBLIC], struct err *err)
{
	struct manifest_roots roots;
	struct canon_in in;

	if (peek_roots(object, len, &in, &roots, err) < 0)
		return -1;
	memcpy(signer, manifest_root(&roots), KEY_PUBLIC);
	for (size_t k = 0; k <= roots.n; k++)
		if (memcmp(manifest_root_at(&roots, k), root, KEY_PUBLIC) == 0)
			return 0;
	return err_set(err, ERR_REFUSED,
	    "manifest: of another root than the one that is pinned");
}

int
manifest_peek_epoch(
    const void *object, size_t len, uint32_t *epoch, struct err *err)
{
	char consortium[MANIFEST_NAME_MAX + 1];
	uint8_t id[MANIFEST_ID];
	struct manifest_roots roots;
	struct canon_in in;

	if (peek_roots(object, len, &in, &roots, err) < 0)
		return -1;
	canon_get_text(&in, consortium, sizeof(consortium));
	canon_get_raw(&in, id, sizeof(id));
	*epoch = canon_get_u32(&in);
	return in.failed ? err_set(err, ERR_FORMAT, "manifest: cut short") : 0;
}

struct manifest *
manifest_open(const void *object, size_t len, const uint8_t root[KEY_PUBLIC],
    struct err *err)
{
	struct manifest *m = NULL;
	uint8_t id[MANIFEST_ID], signer[KEY_PUBLIC];
	const uint8_t *content;
	struct canon_in in;
	size_t content_len;

	if (find_signer(object, len, root, signer, err) < 0 ||
	    signed_open(object, len, MANIFEST_TYPE, MANIFEST_MAX, signer,
		&content, &content_len, err) < 0)
		return NULL;
	if ((m = calloc(1, sizeof(*m))) == NULL) {
		err_sys(err, "manifest");
		return NULL;
	}
	in = canon_in(content, content_len);
	if (decode(m, &in, err) < 0)
		goto bad;
	manifest_consortium_id(m->consortium, m->roots.first, id);
	if (memcmp(id, m->consortium_id, sizeof(id)) != 0) {
		err_set(err, ERR_FORMAT,
		    "manifest: the consortium's id is not that of its name and "
		    "root");
		goto bad;
	}
	if (check_roots(&m->roots, id, m->epoch, err) < 0)
		goto bad;
	signed_digest(object, len, m->digest);
	return m;
bad:
	manifest_free(m);
	return NULL;
}

struct manifest *
manifest_open_kept(const void *object, size_t len,
    const struct manifest_roots *roots, struct err *err)
{
	struct manifest *m;
	size_t k = roots->n;

	do
		m = manifest_open(object, len, manifest_root_at(roots, k), err);
	while (m == NULL && err->code != ERR_SYSTEM && k-- > 0);
	return m;
}

struct manifest *
manifest_open_own(const void *object, size_t len, struct err *err)
{
	struct manifest_roots roots;
	struct canon_in in;

	if (peek_roots(object, len, &in, &roots, err) < 0)
		return NULL;
	return manifest_open(object, len, manifest_root(&roots), err);
}

void
manifest_free(struct manifest *m)
{
	if (m == NULL)
		return;
	free(m->sites);
	free(m);
}

size_t
manifest_n_active(const struct manifest *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_sites; i++)
		n += m->sites[i].active;
	return n;
}

const struct manifest_site *
manifest_by_id(const struct manifest *m, uint16_t id)
{
	for (size_t i = 0; i < m->n_sites; i++)
		if (m->sites[i].id == id)
			return &m->sites[i];
	return NULL;
}

const struct manifest_site *
manifest_by_name(const struct manifest *m, const char *name)
{
	for (size_t i = 0; i < m->n_sites; i++)
		if (strcmp(m->sites[i].member.name, name) == 0)
			return &m->sites[i];
	return NULL;
}

const struct manifest_site *
manifest_by_tls(const struct manifest *m, const uint8_t tls[MANIFEST_ID])
{
	for (size_t i = 0; i < m->n_sites; i++)
		if (memcmp(m->sites[i].member.tls, tls, MANIFEST_ID) == 0)
			return &m->sites[i];
	return NULL;
}
