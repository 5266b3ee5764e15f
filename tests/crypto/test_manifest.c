#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/steps.h"
#include "crypto/approval.h"
#include "crypto/checkpoint.h"
#include "crypto/context.h"
#include "crypto/finished.h"
#include "crypto/join.h"
#include "crypto/manifest.h"
#include "crypto/signed_study.h"

static struct key *root, *keys[4];

static int
make_keys(void **state)
{
	struct err err;

	(void)state;
	root = key_new(&err);
	for (size_t i = 0; i < 4; i++)
		if ((keys[i] = key_new(&err)) == NULL)
			return -1;
	return root != NULL ? 0 : -1;
}

static int
free_keys(void **state)
{
	(void)state;
	key_free(root);
	for (size_t i = 0; i < 4; i++)
		key_free(keys[i]);
	return 0;
}

static struct manifest_member
member(const char *name, size_t i)
{
	struct manifest_member m = { 0 };

	snprintf(m.name, sizeof(m.name), "%s", name);
	memcpy(m.key, key_public(keys[i]), KEY_PUBLIC);
	memset(m.tls, (int)i + 1, sizeof(m.tls));
	return m;
}

/* Three sites, the third revoked.  sites has room for three. */
static struct manifest
example(struct manifest_site *sites)
{
	struct manifest m = {
		.consortium = "eurobreast",
		.epoch = 7,
		.policy = manifest_policy_default(),
		.coordinator = member("hub", 3),
		.sites = sites,
		.n_sites = 3,
	};

	sites[0] = (struct manifest_site){ 1, true, member("berlin", 0) };
	sites[1] = (struct manifest_site){ 2, true, member("lyon", 1) };
	sites[2] = (struct manifest_site){ 5, false, member("turin", 2) };
	return m;
}

static void
a_manifest_comes_back_as_it_was_signed(void **state)
{
	struct manifest_site sites[3];
	struct manifest m = example(sites), *back;
	const uint8_t unknown[MANIFEST_ID] = { 0 };
	struct canon out = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(manifest_sign(&m, root, &out, &err), 0);
	back = manifest_open(out.data, out.len, key_public(root), &err);
	assert_non_null(back);
	assert_string_equal(back->consortium, "eurobreast");
	assert_memory_equal(back->consortium_id, m.consortium_id, MANIFEST_ID);
	assert_int_equal(back->epoch, 7);
	assert_memory_equal(&back->policy, &m.policy, sizeof(m.policy));
	assert_int_equal(back->n_sites, 3);
	assert_int_equal(manifest_by_name(back, "turin")->id, 5);
	assert_false(manifest_by_id(back, 5)->active);
	assert_true(manifest_by_id(back, 2)->active);
	assert_int_equal(manifest_by_tls(back, sites[1].member.tls)->id, 2);
	assert_null(manifest_by_name(back, "hub"));
	assert_null(manifest_by_id(back, 3));
	assert_null(manifest_by_tls(back, unknown));
	manifest_free(back);
	canon_free(&out);
}

/* Sign m by keys[last] after root has handed over to keys[0] in epoch 8, that to
   keys[1] in epoch 9, ... */
static struct manifest *
after_changes(struct manifest *m, size_t n, uint32_t epoch, struct canon *out)
{
	const struct key *old = root;
	struct err err;

	m->roots = (struct manifest_roots){ 0 };
	memcpy(m->roots.first, key_public(root), KEY_PUBLIC);
	m->epoch = epoch;
	for (size_t k = 0; k < n; k++) {
		assert_int_equal(
		    manifest_change_root(&m->roots, m->consortium, old,
			key_public(keys[k]), (uint32_t)(8 + k), &err),
		    0);
		old = keys[k];
	}
	out->len = 0;
	if (manifest_sign(m, old, out, &err) < 0)
		return NULL;
	return manifest_open(out->data, out->len, key_public(root), &err);
}

static void
a_root_may_hand_over_to_another(void **state)
{
	struct manifest_site sites[3];
	struct manifest m = example(sites), *before, *now, *again;
	struct canon out = { 0 };
	uint32_t epoch;
	struct err err;

	(void)state;
	assert_non_null(before = after_changes(&m, 0, 7, &out));
	assert_non_null(now = after_changes(&m, 2, 9, &out));
	assert_memory_equal(
	    now->consortium_id, before->consortium_id, MANIFEST_ID);
	assert_memory_equal(
	    manifest_root(&now->roots), key_public(keys[1]), KEY_PUBLIC);
	assert_int_equal(
	    manifest_roots_follow(&before->roots, &now->roots, &err), 0);
	assert_int_equal(
	    manifest_roots_follow(&now->roots, &now->roots, &err), 0);
	/* Whoever pins any of them can check it; nobody else. */
	for (size_t k = 0; k < 3; k++) {
		again =
		    manifest_open(out.data, out.len, key_public(keys[k]), &err);
		assert_int_equal(again != NULL, k < 2);
		manifest_free(again);
	}
	assert_int_equal(err.code, ERR_REFUSED);
	assert_int_equal(
	    manifest_peek_epoch(out.data, out.len, &epoch, &err), 0);
	assert_int_equal(epoch, 9);
	for (size_t i = 0; i < out.len; i++) {
		out.data[i] ^= (uint8_t)(1u << (i % 8));
		assert_null(
		    manifest_open(out.data, out.len, key_public(root), &err));
		out.data[i] ^= (uint8_t)(1u << (i % 8));
	}
	/* Not before its time. */
	assert_null(after_changes(&m, 2, 8, &out));
	/* One that has handed over has no say. */
	assert_int_equal(
	    manifest_roots_follow(&now->roots, &before->roots, &err), -1);
	assert_int_equal(err.code, ERR_REFUSED);
	/* Nor has another that it has signed. */
	m.roots = before->roots;
	assert_int_equal(manifest_change_root(&m.roots, m.consortium, root,
			     key_public(keys[2]), 8, &err),
	    0);
	m.epoch = 10;
	out.len = 0;
	assert_int_equal(manifest_sign(&m, keys[2], &out, &err), 0);
	again = manifest_open(out.data, out.len, key_public(root), &err);
	assert_non_null(again);
	assert_int_equal(
	    manifest_roots_follow(&now->roots, &again->roots, &err), -1);
	assert_non_null(strstr(err.msg, "two that follow"));
	/* Only the present one hands over, and signs. */
	assert_int_equal(manifest_change_root(&m.roots, m.consortium, root,
			     key_public(keys[3]), 11, &err),
	    -1);
	assert_int_equal(manifest_sign(&m, root, &out, &err), -1);
	manifest_free(again);
	manifest_free(before);
	manifest_free(now);
	canon_free(&out);
}

/* Content of a manifest, changed, and signed again by the last of its roots. */
static void
refuses_signed(const uint8_t *bad, size_t len, const char *word)
{
	struct canon again = { 0 };
	struct err err;

	assert_int_equal(
	    signed_make(keys[1], MANIFEST_TYPE, bad, len, &again, &err), 0);
	assert_null(
	    manifest_open(again.data, again.len, key_public(keys[1]), &err));
	if (strstr(err.msg, word) == NULL)
		fail_msg("%s", err.msg);
	canon_free(&again);
}

/* Where the content has what, after two changes. */
enum {
	FIRST = 0,
	CHANGE = KEY_PUBLIC + 2, /* the first change: next, epoch, signature */
	EPOCH = CHANGE + KEY_PUBLIC,
	SIGNATURE = EPOCH + 4,
	CHANGE_LEN = KEY_PUBLIC + 4 + KEY_SIGNATURE,
	ID = CHANGE + 2 * CHANGE_LEN + 4 + sizeof("eurobreast") - 1,
};

static void
a_root_cannot_sign_a_past_that_was_not(void **state)
{
	struct manifest_site sites[3];
	struct manifest m = example(sites), *now;
	struct canon out = { 0 };
	const uint8_t *content;
	uint8_t bad[4096];
	uint32_t epoch;
	size_t len;
	struct err err;

	(void)state;
	assert_non_null(now = after_changes(&m, 2, 9, &out));
	assert_int_equal(
	    signed_open(out.data, out.len, MANIFEST_TYPE, MANIFEST_MAX,
		key_public(keys[1]), &content, &len, &err),
	    0);
	assert_true(len <= sizeof(bad));
#define REFUSED_WITH(word)                                                     \
	refuses_signed(bad, len, word);                                        \
	memcpy(bad, content, len)
	memcpy(bad, content, len);
	bad[SIGNATURE] ^= 1;
	REFUSED_WITH("change of root 1");
	bad[CHANGE + CHANGE_LEN + KEY_PUBLIC + 3] = 8; /* as the first */
	REFUSED_WITH("roots that follow in epoch 8");
	memset(bad + CHANGE, 0, KEY_PUBLIC);
	REFUSED_WITH("manifest: root: not an Ed25519 public key");
	bad[FIRST] ^= 1; /* the consortium is that of its first root */
	REFUSED_WITH("the consortium's id is not that");
	memset(bad + FIRST, 0, KEY_PUBLIC);
	manifest_consortium_id("eurobreast", bad + FIRST, bad + ID);
	REFUSED_WITH("manifest: root: not an Ed25519 public key");
#undef REFUSED_WITH
	/* Nor does anybody else's past help. */
	assert_null(manifest_open_kept(
	    out.data, out.len, &(struct manifest_roots){ .n = 0 }, &err));
	assert_int_equal(err.code, ERR_REFUSED);
	/* What is no manifest has no epoch. */
	assert_int_equal(manifest_peek_epoch("x", 1, &epoch, &err), -1);
	assert_null(manifest_open_own("x", 1, &err));
	out.len = 0;
	assert_int_equal(
	    signed_make(root, MANIFEST_TYPE, content, ID, &out, &err), 0);
	assert_int_equal(
	    manifest_peek_epoch(out.data, out.len, &epoch, &err), -1);
	assert_string_equal(err.msg, "manifest: cut short");
	manifest_free(now);
	canon_free(&out);
}

static void
a_root_changes_so_many_times(void **state)
{
	struct manifest_roots r = { 0 };
	struct err err;

	(void)state;
	memcpy(r.first, key_public(keys[1]), KEY_PUBLIC);
	for (size_t k = 0; k < MANIFEST_CHANGES_MAX; k++)
		assert_int_equal(
		    manifest_change_root(&r, "eurobreast", keys[(k + 1) % 2],
			key_public(keys[k % 2]), (uint32_t)k + 1, &err),
		    0);
	assert_int_equal(manifest_change_root(&r, "eurobreast",
			     keys[(MANIFEST_CHANGES_MAX + 1) % 2],
			     key_public(keys[2]), 99, &err),
	    -1);
	assert_string_equal(err.msg, "the root has changed 16 times already");
	assert_int_equal(r.n, MANIFEST_CHANGES_MAX);
}

static void
every_flipped_bit_and_every_cut_of_a_manifest_is_refused(void **state)
{
	struct manifest_site sites[3];
	struct manifest m = example(sites);
	struct canon out = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(manifest_sign(&m, root, &out, &err), 0);
	for (size_t i = 0; i < out.len; i++) {
		out.data[i] ^= (uint8_t)(1u << (i % 8));
		assert_null(
		    manifest_open(out.data, out.len, key_public(root), &err));
		out.data[i] ^= (uint8_t)(1u << (i % 8));
		assert_null(manifest_open(out.data, i, key_public(root), &err));
	}
	canon_u8(&out, 0);
	assert_null(manifest_open(out.data, out.len, key_public(root), &err));
	assert_int_equal(err.code, ERR_FORMAT);
	canon_free(&out);
}

static void
another_roots_manifest_is_refused(void **state)
{
	struct manifest_site sites[3];
	struct manifest m = example(sites);
	struct canon out = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(manifest_sign(&m, keys[0], &out, &err), 0);
	assert_null(manifest_open(out.data, out.len, key_public(root), &err));
	assert_int_equal(err.code, ERR_REFUSED);
	canon_free(&out);
}

/* Spoil a manifest in one way; what = 0 leaves it sound. */
static void
spoil(struct manifest *m, int what)
{
	struct manifest_site *s = m->sites;

	switch (what) {
	case 1:
		s[1].id = 1;
		break;
	case 2:
		s[0].id = 0;
		break;
	case 3:
		s[2].id = 2;
		break;
	case 4:
		strcpy(s[2].member.name, "lyon");
		break;
	case 5:
		strcpy(s[2].member.name, "Turin");
		break;
	case 6:
		strcpy(s[2].member.name, "");
		break;
	case 7:
		memcpy(s[0].member.key, s[2].member.key, KEY_PUBLIC);
		break;
	case 8:
		memcpy(s[0].member.tls, m->coordinator.tls, MANIFEST_ID);
		break;
	case 9:
		memset(s[0].member.key, 0, KEY_PUBLIC);
		break;
	case 10:
		m->epoch = 0;
		break;
	case 11:
		m->n_sites = 0;
		break;
	case 12:
		m->policy.corrupted = 0;
		break;
	case 13:
		m->policy.honest_min = 1;
		break;
	case 14:
		m->policy.u_frac_ppm = MANIFEST_PPM + 1;
		break;
	case 15:
		m->policy.suites = 4;
		break;
	case 16:
		m->policy.weight_cap = 0;
		break;
	case 17:
		strcpy(m->consortium, "a/b");
		break;
	case 18:
		strcpy(m->coordinator.name, "berlin");
		break;
	}
}

static void
a_root_cannot_sign_what_makes_no_sense(void **state)
{
	(void)state;
	for (int what = 0; what <= 18; what++) {
		struct manifest_site sites[3];
		struct manifest m = example(sites);
		struct canon out = { 0 };
		struct err err;

		spoil(&m, what);
		assert_int_equal(
		    manifest_sign(&m, root, &out, &err), what == 0 ? 0 : -1);
		if (what != 0)
			assert_int_equal(err.code, ERR_CONFIG);
		canon_free(&out);
	}
}

/* The root's own signature does not help: contents are checked on reading. */
static void
a_signed_manifest_with_a_wrong_field_is_refused(void **state)
{
	struct manifest_site sites[3];
	struct manifest m = example(sites);
	struct canon out = { 0 };
	const uint8_t *content;
	size_t len;
	struct err err;
	/* Of the content: the id, the epoch, c, the sites' count, site 1's id
	   and status. */
	const size_t places[] = { 51, 80, 84, 175, 179, 181 };

	(void)state;
	assert_int_equal(manifest_sign(&m, root, &out, &err), 0);
	assert_int_equal(
	    signed_open(out.data, out.len, MANIFEST_TYPE, MANIFEST_MAX,
		key_public(root), &content, &len, &err),
	    0);
	for (size_t i = 0; i <= 6; i++) {
		uint8_t bad[4096];
		struct canon again = { 0 };
		struct manifest *back;

		assert_true(len <= sizeof(bad));
		memcpy(bad, content, len);
		if (i == 1)
			memset(bad + places[i], 0, 4);
		else if (i < 6)
			bad[places[i]] = 0xff;
		assert_int_equal(
		    signed_make(root, MANIFEST_TYPE, bad, len, &again, &err),
		    0);
		back = manifest_open(
		    again.data, again.len, key_public(root), &err);
		if (i == 6) {
			assert_non_null(back);
		} else {
			assert_null(back);
			assert_int_not_equal(err.code, ERR_REFUSED);
		}
		manifest_free(back);
		canon_free(&again);
	}
	canon_free(&out);
}

static void
a_thousand_sites_are_enough_and_one_more_is_refused(void **state)
{
	struct manifest_site *sites = calloc(1025, sizeof(*sites));
	struct manifest_site some[3];
	struct manifest m = example(some), *back;
	struct canon out = { 0 };
	struct err err;

	(void)state;
	m.sites = sites;
	m.n_sites = 1024;
	for (size_t i = 0; i < 1025; i++) {
		struct key *k = key_new(&err);
		struct manifest_member *s = &sites[i].member;

		sites[i].id = (uint16_t)(i + 1);
		sites[i].active = true;
		snprintf(s->name, sizeof(s->name), "site-%zu", i);
		memcpy(s->key, key_public(k), KEY_PUBLIC);
		memcpy(s->tls, key_public(k), MANIFEST_ID);
		key_free(k);
	}
	assert_int_equal(manifest_sign(&m, root, &out, &err), 0);
	assert_true(out.len <= MANIFEST_MAX);
	back = manifest_open(out.data, out.len, key_public(root), &err);
	assert_non_null(back);
	assert_int_equal(back->n_sites, 1024);
	manifest_free(back);
	m.n_sites = 1025;
	assert_int_equal(manifest_sign(&m, root, &out, &err), -1);
	canon_free(&out);
	free(sites);
}

static void
a_study_comes_back_and_must_fit_the_manifest(void **state)
{
	struct manifest_site some[3];
	struct manifest m = example(some);
	uint16_t ids[] = { 1, 2, 5 }, bad[] = { 2, 1, 5 };
	char text[] = "[study]\nname = rfs\n";
	struct signed_study s = { .epoch = 7,
		.sites = ids,
		.n_sites = 3,
		.text = text,
		.text_len = strlen(text) };
	struct signed_study *back;
	struct canon out = { 0 };
	uint8_t digest[SIGNED_DIGEST];
	struct err err;

	(void)state;
	assert_int_equal(manifest_sign(&m, root, &out, &err), 0);
	canon_free(&out);
	memcpy(s.consortium_id, m.consortium_id, MANIFEST_ID);
	assert_int_equal(signed_study_sign(&s, root, &out, &err), 0);
	back = signed_study_open(out.data, out.len, key_public(root), &err);
	assert_non_null(back);
	assert_string_equal(back->text, text);
	assert_int_equal(back->n_sites, 3);
	assert_int_equal(back->sites[2], 5);
	signed_digest(out.data, out.len, digest);
	assert_memory_equal(digest, back->digest, sizeof(digest));
	assert_int_equal(signed_study_index(back, 5), 2);
	assert_int_equal(signed_study_index(back, 3), SIZE_MAX);

	assert_int_equal(signed_study_fits(back, &m, &err), 0);
	m.epoch = 6;
	assert_int_equal(signed_study_fits(back, &m, &err), -1);
	m.epoch = 8;
	some[2].id = 6;
	assert_int_equal(signed_study_fits(back, &m, &err), -1);
	some[2].id = 5;
	m.consortium_id[0] ^= 1;
	assert_int_equal(signed_study_fits(back, &m, &err), -1);
	assert_int_equal(err.code, ERR_REFUSED);
	signed_study_free(back);

	for (size_t i = 0; i < out.len; i++) {
		out.data[i] ^= 0x10;
		assert_null(signed_study_open(
		    out.data, out.len, key_public(root), &err));
		out.data[i] ^= 0x10;
	}
	assert_null(
	    signed_study_open(out.data, out.len, key_public(keys[0]), &err));
	s.sites = bad;
	assert_int_equal(signed_study_sign(&s, root, &out, &err), -1);
	s.sites = ids;
	s.n_sites = 2;
	assert_int_equal(signed_study_sign(&s, root, &out, &err), -1);
	s.n_sites = 3;
	s.text_len = 0;
	assert_int_equal(signed_study_sign(&s, root, &out, &err), -1);
	s.text_len = SIGNED_STUDY_TEXT_MAX + 1;
	assert_int_equal(signed_study_sign(&s, root, &out, &err), -1);
	assert_non_null(strstr(err.msg, "bytes of text, expected"));
	canon_free(&out);
}

static void
an_approval_counts_only_from_a_pinned_officer(void **state)
{
	struct approval a = { .verdict = APPROVAL_APPROVE, .utc = 1790000000 };
	struct approval back;
	uint8_t officers[2][KEY_PUBLIC];
	struct canon out = { 0 };
	struct err err;

	(void)state;
	memset(a.study, 1, sizeof(a.study));
	memset(a.report, 2, sizeof(a.report));
	memset(a.table, 3, sizeof(a.table));
	memcpy(officers[0], key_public(keys[0]), KEY_PUBLIC);
	memcpy(officers[1], key_public(keys[1]), KEY_PUBLIC);
	assert_int_equal(approval_sign(&a, keys[1], &out, &err), 0);
	assert_int_equal(
	    approval_open(out.data, out.len, officers, 2, &back, &err), 0);
	assert_memory_equal(back.study, a.study, sizeof(a.study));
	assert_memory_equal(back.report, a.report, sizeof(a.report));
	assert_memory_equal(back.table, a.table, sizeof(a.table));
	assert_int_equal(back.verdict, APPROVAL_APPROVE);
	assert_int_equal(back.utc, 1790000000);
	assert_int_equal(
	    approval_open(out.data, out.len, officers, 1, &back, &err), -1);
	assert_int_equal(err.code, ERR_REFUSED);
	assert_int_equal(
	    approval_open(out.data, out.len, officers, 0, &back, &err), -1);
	/* One that was kept tells whose it is. */
	assert_int_equal(approval_open_kept(out.data, out.len, &back, &err), 0);
	assert_memory_equal(back.officer, officers[1], KEY_PUBLIC);
	for (size_t i = 0; i < out.len; i++) {
		out.data[i] ^= 1;
		assert_int_equal(
		    approval_open(out.data, out.len, officers, 2, &back, &err),
		    -1);
		assert_int_equal(
		    approval_open_kept(out.data, out.len, &back, &err), -1);
		out.data[i] ^= 1;
	}
	out.len = 0;
	a.verdict = 4;
	assert_int_equal(approval_sign(&a, keys[0], &out, &err), 0);
	assert_int_equal(
	    approval_open(out.data, out.len, officers, 2, &back, &err), -1);
	assert_int_equal(err.code, ERR_FORMAT);
	canon_free(&out);
}

static void
a_join_request_proves_its_key_and_keeps_its_bounds(void **state)
{
	struct join_request r = { .role = JOIN_COORDINATOR,
		.name = "hub",
		.host = "hub.example.org",
		.spki = { 1, 2, 3 },
		.spki_len = 3 };
	struct join_request back;
	char host[JOIN_HOST_MAX + 2] = "";
	struct canon out = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(join_request_sign(&r, keys[0], &out, &err), 0);
	assert_int_equal(join_request_open(out.data, out.len, &back, &err), 0);
	assert_string_equal(back.name, "hub");
	assert_string_equal(back.host, "hub.example.org");
	assert_memory_equal(back.key, key_public(keys[0]), KEY_PUBLIC);
	assert_int_equal(back.spki_len, 3);
	for (size_t i = 0; i < out.len; i++) {
		out.data[i] ^= 4;
		assert_int_equal(
		    join_request_open(out.data, out.len, &back, &err), -1);
		out.data[i] ^= 4;
	}
	r.role = JOIN_SITE; /* a site has no host */
	assert_int_equal(join_request_sign(&r, keys[0], &out, &err), -1);
	r.host[0] = '\0';
	assert_int_equal(join_request_sign(&r, keys[0], &out, &err), 0);
	r.role = JOIN_COORDINATOR;
	assert_int_equal(join_request_sign(&r, keys[0], &out, &err), -1);
	strcpy(r.host, "a,DNS:b"); /* would be two names */
	assert_int_equal(join_request_sign(&r, keys[0], &out, &err), -1);
	strcpy(r.host, "hub");
	r.spki_len = 0;
	assert_int_equal(join_request_sign(&r, keys[0], &out, &err), -1);
	assert_non_null(strstr(err.msg, "TLS key of 0 bytes"));
	memset(host, 'a', sizeof(host) - 1);
	assert_int_equal(join_host_check(host, &err), -1);
	host[JOIN_HOST_MAX] = '\0';
	assert_int_equal(join_host_check(host, &err), 0);
	canon_free(&out);
}

static void
a_finished_study_comes_back_and_keeps_its_bounds(void **state)
{
	struct finished_round rounds[] = { { 3, 0, "counts", 4, "a b c d", 7 },
		{ 5, 1, "moments", 3, "a b d", 5 } };
	struct finished f = { .consortium = "eurobreast",
		.digest = { 9 },
		.n_sites = 4,
		.corrupted = 1,
		.smallest_sites = 3,
		.text = "[study]",
		.text_len = 7,
		.plan = (const uint8_t *)"plan",
		.plan_len = 4,
		.rounds = rounds,
		.n_rounds = 2 };
	struct finished *back;
	struct canon out = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(finished_write(&f, &out, &err), 0);
	back = finished_read(out.data, out.len, &err);
	assert_non_null(back);
	assert_string_equal(back->consortium, "eurobreast");
	assert_memory_equal(back->digest, f.digest, sizeof(f.digest));
	assert_int_equal(back->text_len, 7);
	assert_memory_equal(back->plan, "plan", 4);
	assert_int_equal(back->n_rounds, 2);
	assert_int_equal(back->rounds[1].round, 5);
	assert_string_equal(back->rounds[1].kind, "moments");
	assert_int_equal(back->rounds[1].n_sites, 3);
	assert_int_equal(back->rounds[1].set_len, 5);
	assert_memory_equal(back->rounds[1].set, "a b d", 5);
	assert_int_equal(back->smallest_sites, 3);
	finished_free(back);
	for (size_t i = 0; i < out.len; i++)
		assert_null(finished_read(out.data, i, &err));
	/* A count of rounds beyond what is there is not allocated. */
	memset(out.data + out.len - 2 * 24 - 13 - 12 - 4, 0xff, 4);
	assert_null(finished_read(out.data, out.len, &err));
	assert_int_equal(err.code, ERR_FORMAT);
	canon_free(&out);
	f.n_rounds = FINISHED_ROUNDS_MAX + 1;
	assert_int_equal(finished_write(&f, &out, &err), -1);
	f.n_rounds = 2;
	f.plan_len = FINISHED_PLAN_MAX + 1;
	assert_int_equal(finished_write(&f, &out, &err), -1);
	assert_int_equal(err.code, ERR_FORMAT);
	canon_free(&out);
}

/* Of two steps, what a store says of the second one. */
static int
get_step(
    void *arg, int64_t study, uint32_t idx, struct step *s, struct err *err)
{
	static const uint16_t sum_of[] = { 1, 3, 5 }; /* 3 is nobody now */
	const int *second = arg;

	assert_int_equal(study, 11);
	*s = (struct step){ .idx = idx, .round = idx, .kind = "counts" };
	memcpy(s->sites, sum_of, sizeof(sum_of));
	s->n_sites = 3;
	if (idx == 2 && *second < 0)
		err_set(err, ERR_SYSTEM, "no database");
	return idx == 2 ? *second : 1;
}

static void
a_finished_study_has_all_its_steps(void **state)
{
	struct manifest_site some[3];
	struct manifest m = example(some);
	uint16_t ids[] = { 1, 2, 5 };
	char text[] = "[study]";
	struct signed_study s = {
		.sites = ids, .n_sites = 3, .text = text, .text_len = 7
	};
	struct canon plan = { 0 }, out = { 0 };
	struct finished *f;
	int second = 1;
	struct err err;

	(void)state;
	canon_raw(&plan, "plan", 4);
	assert_int_equal(finished_put(&m, &s, 3, &plan, 2, get_step, &second,
			     11, &out, &err),
	    0);
	assert_non_null(f = finished_read(out.data, out.len, &err));
	assert_int_equal(f->n_rounds, 2);
	assert_int_equal(f->rounds[1].set_len, strlen("berlin ? turin"));
	assert_memory_equal(f->rounds[1].set, "berlin ? turin", 14);
	finished_free(f);
	canon_free(&out);
	second = 0;
	assert_int_equal(finished_put(&m, &s, 3, &plan, 2, get_step, &second,
			     11, &out, &err),
	    -1);
	assert_string_equal(err.msg, "step 2 is missing");
	second = -1;
	assert_int_equal(finished_put(&m, &s, 3, &plan, 2, get_step, &second,
			     11, &out, &err),
	    -1);
	assert_string_equal(err.msg, "no database");
	assert_int_equal(out.len, 0);
	canon_free(&plan);
}

static void
who_is_not_there_is_named_as_far_as_there_is_room(void **state)
{
	static const uint16_t all[] = { 1, 2, 3, 5 }, some[] = { 0, 2, 4 };
	struct manifest_site sites[3];
	struct manifest m = example(sites);
	char names[10];

	(void)state;
	assert_int_equal(context_without(&m, all, 4, some, 3, names, 10), 3);
	assert_string_equal(names, "berlin ? ");
	assert_int_equal(context_without(&m, all, 4, some, 3, names, 4), 3);
	assert_string_equal(names, "ber");
	assert_int_equal(context_without(&m, all, 4, all, 4, names, 10), 0);
	assert_string_equal(names, "");
}

static void
what_is_cut_short_is_no_checkpoint(void **state)
{
	struct canon out = { 0 };
	struct checkpoint c;
	struct err err;

	(void)state;
	assert_int_equal(checkpoint_open("x", 1, NULL, &c, &err), -1);
	assert_int_equal(
	    signed_make(root, CHECKPOINT_TYPE, "x", 1, &out, &err), 0);
	assert_int_equal(
	    checkpoint_open(out.data, out.len, NULL, &c, &err), -1);
	assert_string_equal(err.msg, "checkpoint: cut short");
	canon_free(&out);
}

static void
a_welcome_is_its_roots_alone(void **state)
{
	struct join_welcome w = { .role = JOIN_SITE,
		.consortium = "eurobreast",
		.name = "lyon",
		.tls_pem = "-----A\n",
		.ca_pem = "-----B\n" };
	struct join_welcome back;
	struct canon out = { 0 };
	struct err err;

	(void)state;
	memcpy(w.key, key_public(keys[0]), KEY_PUBLIC);
	memcpy(w.coordinator, key_public(keys[3]), KEY_PUBLIC);
	assert_int_equal(join_welcome_sign(&w, root, &out, &err), 0);
	assert_int_equal(join_welcome_open(out.data, out.len, &back, &err), 0);
	assert_string_equal(back.tls_pem, w.tls_pem);
	assert_memory_equal(back.root, key_public(root), KEY_PUBLIC);
	for (size_t i = 0; i < out.len; i++) {
		out.data[i] ^= 2;
		assert_int_equal(
		    join_welcome_open(out.data, out.len, &back, &err), -1);
		out.data[i] ^= 2;
	}
	/* One type is never taken for another. */
	assert_null(manifest_open(out.data, out.len, key_public(root), &err));
	assert_non_null(strstr(err.msg, "a signed welcome"));
	canon_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_manifest_comes_back_as_it_was_signed),
		cmocka_unit_test(a_root_may_hand_over_to_another),
		cmocka_unit_test(a_root_cannot_sign_a_past_that_was_not),
		cmocka_unit_test(a_root_changes_so_many_times),
		cmocka_unit_test(
		    every_flipped_bit_and_every_cut_of_a_manifest_is_refused),
		cmocka_unit_test(another_roots_manifest_is_refused),
		cmocka_unit_test(a_root_cannot_sign_what_makes_no_sense),
		cmocka_unit_test(
		    a_signed_manifest_with_a_wrong_field_is_refused),
		cmocka_unit_test(
		    a_thousand_sites_are_enough_and_one_more_is_refused),
		cmocka_unit_test(a_study_comes_back_and_must_fit_the_manifest),
		cmocka_unit_test(an_approval_counts_only_from_a_pinned_officer),
		cmocka_unit_test(
		    a_join_request_proves_its_key_and_keeps_its_bounds),
		cmocka_unit_test(
		    a_finished_study_comes_back_and_keeps_its_bounds),
		cmocka_unit_test(a_finished_study_has_all_its_steps),
		cmocka_unit_test(
		    who_is_not_there_is_named_as_far_as_there_is_room),
		cmocka_unit_test(what_is_cut_short_is_no_checkpoint),
		cmocka_unit_test(a_welcome_is_its_roots_alone),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
