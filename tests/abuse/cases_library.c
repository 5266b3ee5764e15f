/*
 * Cases 27 and 29 of docs/TESTING.md, on the round's library: vectors of 1 to
 * 10^7 words, and what an attacker that knows everything it may know sees of
 * one honest input.
 */
#include "config.h"

#include "tests/check.h"
#include "tests/crypto/world.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/macros.h"
#include "crypto/prg.h"
#include "crypto/round_check.h"
#include "crypto/round_keys.h"

/* 27 */

static void
a_round_of(size_t words)
{
	struct world *w = world_new(4, words);

	w->site[2].leaves = LEAVES_BEFORE_UPLOAD;
	if (world_run(w) != 0)
		fail_msg("%zu words: %s", words, w->err.msg);
	world_check_sum(w);
	world_free(w);
}

static void
abuse_27_few_words_and_the_ends_of_chunks(void **state)
{
	static const size_t sizes[] = { 1, 2, 10, ROUND_CHUNK / 8 - 1,
		ROUND_CHUNK / 8, ROUND_CHUNK / 8 + 1, 3 * ROUND_CHUNK / 8 };

	(void)state;
	for (size_t i = 0; i < nitems(sizes); i++)
		a_round_of(sizes[i]);
}

/* The most and fewest that can be announced; a site refuses others unseen. */
static void
abuse_27_the_limits_of_an_announcement(void **state)
{
	static const struct {
		uint64_t words;
		bool good;
	} rows[] = { { 0, false }, { 1, true }, { ROUND_WORDS_MAX, true },
		{ ROUND_WORDS_MAX + 1, false }, { UINT64_MAX, false } };
	struct world *w = world_new(3, 1);

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		struct canon msg = { 0 };
		struct round_about got;

		w->about.words = rows[i].words;
		w->ctx.secret = w->sk;
		assert_int_equal(
		    msg_put_announce(&w->ctx, &w->about, &msg, &w->err), 0);
		assert_int_equal(round_announce_open(
				     &w->ctx, msg.data, msg.len, &got, &w->err),
		    rows[i].good ? 0 : -1);
		canon_free(&msg);
	}
	w->about.words = 1;
	world_free(w);
}

#define MANY ((size_t)10000000)
#define MIB ((rlim_t)1 << 20)

/* A vector that lies in a file: it counts for no process's memory. */
static uint64_t *
in_file(size_t words)
{
	char path[] = "/var/tmp/words.XXXXXX";
	int fd = mkstemp(path);
	void *p;

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(ftruncate(fd, (off_t)(words * 8)), 0);
	p = mmap(NULL, words * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(p != MAP_FAILED);
	close(fd);
	return p;
}

/* A site that checks the sum, and what it asks for. */
static void
check_sum(struct world *w, enum round_verify verify, size_t most_bytes)
{
	struct round_ctx ctx = w->ctx;
	struct canon m8 = { 0 };
	struct round_result *r;
	struct round_check *c;
	struct round_want want;
	size_t fetched = 0;
	uint8_t(*leaves)[ROUND_DIGEST], name[ROUND_DIGEST];

	leaves = calloc(round_chunks(64, MANY), sizeof(*leaves));
	assert_non_null(leaves);
	assert_int_equal(coord_round_message(
			     w->coord, &w->ctx, ROUND_RESULT, 0, &m8, &w->err),
	    0);
	r = round_result_open(&ctx, &w->about, m8.data, m8.len, &w->err);
	assert_non_null(r);
	assert_non_null(c = round_check_new(r, verify, &w->err));
	while (round_check_next(c, &want)) {
		const uint8_t *data = NULL;

		if (memcmp(want.name, round_result_sum_root(r), ROUND_DIGEST) ==
		    0)
			data = (const uint8_t *)w->sum;
		for (size_t i = 0; i < round_result_inputs(r); i++) {
			const struct round_input *in = round_result_input(r, i);
			const uint64_t *y = w->site[in->site / 10 - 1].y;

			round_leaves_name(in->root, name);
			if (memcmp(want.name, in->root, ROUND_DIGEST) == 0)
				data = (const uint8_t *)y;
			if (memcmp(want.name, name, ROUND_DIGEST) == 0) {
				round_leaves(64, y, MANY, leaves);
				data = (const uint8_t *)leaves;
			}
		}
		assert_non_null(data);
		if (want.one_chunk)
			data += (size_t)want.chunk * ROUND_CHUNK;
		fetched += want.bytes;
		if (round_check_take(c, &ctx, data, want.bytes, &w->err) < 0)
			fail_msg("%s", w->err.msg);
	}
	assert_true(fetched <= most_bytes);
	assert_memory_equal(round_check_sum(c), w->sum, MANY * 8);
	round_check_free(c);
	round_result_free(r);
	canon_free(&m8);
	free(leaves);
}

/* 80 MB a vector.  The input, the sum and a site's own sum are in memory, the
   uploads of the others never are. */
static void
many_words(void)
{
#ifndef CONSILIUM_SANITIZE /* whose own memory counts, too */
	const struct rlimit most = { 3 * MANY * 8 + 64 * MIB,
		3 * MANY * 8 + 64 * MIB };
#endif
	struct world *w = world_new(3, 1);
	struct round_uploads uploads = world_uploaded(w);
	uint64_t *z = malloc(MANY * 8), *own[3][2];

#ifndef CONSILIUM_SANITIZE
	assert_int_equal(setrlimit(RLIMIT_DATA, &most), 0);
#endif
	assert_non_null(z);
	for (size_t k = 0; k < MANY; k++)
		z[k] = world_value(10, k);
	w->about.words = MANY;
	free(w->sum);
	assert_non_null(w->sum = malloc(MANY * 8));
	for (size_t i = 0; i < 3; i++) {
		own[i][0] = w->site[i].z;
		own[i][1] = w->site[i].y;
		w->site[i].z = z;
		w->site[i].y = in_file(MANY);
	}
	if (world_ready(w) != 0 || world_shares(w) != 0 ||
	    world_uploads(w) != 0 || world_confirms(w) != 0 ||
	    world_unmasks(w) != 0 ||
	    coord_round_finish(w->coord, &w->ctx, &uploads, w->sum, &w->err) !=
		0)
		fail_msg("%s", w->err.msg);
	for (size_t k = 0; k < MANY; k++)
		assert_true(w->sum[k] == 3 * z[k]);
	check_sum(w, ROUND_REPLAY, 3 * MANY * 8);
	check_sum(w, ROUND_SAMPLE,
	    MANY * 8 + 3 * round_chunks(64, MANY) * ROUND_DIGEST +
		3 * ROUND_SAMPLES * ROUND_CHUNK);
	for (size_t i = 0; i < 3; i++) {
		munmap(w->site[i].y, MANY * 8);
		w->site[i].z = own[i][0];
		w->site[i].y = own[i][1];
	}
	free(z);
	world_free(w);
}

static void
abuse_27_ten_million_words_in_bounded_memory(void **state)
{
	int status;
	pid_t pid = fork(); /* the limit is for it alone */

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		many_words();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* 29 */

#define WORDS 4096
#define CELLS 256

/*
 * Chi-square of a vector's bytes over 256 cells: of all bytes, and of each of
 * the eight places of a word alone.  For k = 255 degrees of freedom
 * P(X >= k + 2 sqrt(k x) + 2x) and P(X <= k - 2 sqrt(k x)) are at most e^-x
 * (Laurent and Massart 2000, lemma 1).  x = 40 ln 2: a uniform vector fails
 * with a chance of 2^-39, and randomness is fixed, so never or always.
 */
static bool
uniform(const uint64_t *v, unsigned first_place, unsigned n_places)
{
	const double k = CELLS - 1, x = 40 * log(2);
	double expected = (double)WORDS * n_places / CELLS, chi = 0;
	size_t count[CELLS] = { 0 };

	for (size_t i = 0; i < WORDS; i++) {
		for (unsigned p = 0; p < n_places; p++)
			count[v[i] >> (8 * (first_place + p)) & 0xff]++;
	}
	for (size_t c = 0; c < CELLS; c++) {
		double d = (double)count[c] - expected;

		chi += d * d / expected;
	}
	return chi < k + 2 * sqrt(k * x) + 2 * x && chi > k - 2 * sqrt(k * x);
}

static bool
uniform_everywhere(const uint64_t *v)
{
	bool good = uniform(v, 0, 8);

	for (unsigned p = 0; p < 8; p++)
		good &= uniform(v, p, 1);
	return good;
}

/* What M8 makes public of U2, by roster order. */
struct published {
	struct roster r;
	uint8_t u2_hash[ROUND_DIGEST];
	bool in[WORLD_MAX], survived[WORLD_MAX];
	uint8_t secret[WORLD_MAX][ROUND_KEY];
};

static void
read_published(struct world *w, struct published *p)
{
	struct canon m8 = { 0 };
	const uint8_t *bytes;
	struct canon_in in;
	struct dealing d;
	struct msg_list l;
	uint16_t n;
	size_t len;

	memset(p, 0, sizeof(*p));
	assert_int_equal(coord_round_message(
			     w->coord, &w->ctx, ROUND_RESULT, 0, &m8, &w->err),
	    0);
	assert_int_equal(msg_peek(m8.data, m8.len, "result", &in, &w->err), 0);
	canon_get_bytes(&in, 1, ROUND_MESSAGE_MAX, &len);
	bytes = canon_get_bytes(&in, 1, ROUND_MESSAGE_MAX, &len);
	assert_int_equal(roster_read(bytes, len, &p->r, &w->err), 0);
	n = canon_get_u16(&in);
	for (uint16_t k = 0; k < n; k++) {
		size_t i;

		bytes = canon_get_bytes(&in, 1, ROUND_MESSAGE_MAX, &len);
		assert_int_equal(
		    msg_get_dealing(&w->ctx, &p->r, bytes, len, &d, &w->err),
		    0);
		i = roster_index(&p->r, d.site);
		p->in[i] = true;
		p->survived[i] = canon_get_u8(&in) == MSG_SELF;
		canon_get_raw(&in, p->secret[i], ROUND_KEY);
	}
	bytes = canon_get_bytes(&in, 1, ROUND_MESSAGE_MAX, &len);
	assert_int_equal(msg_read_list(bytes, len, &l, &w->err), 0);
	memcpy(p->u2_hash, l.u2, ROUND_DIGEST);
	assert_false(in.failed);
	canon_free(&m8);
}

/* Remove from y of the site at place i all masks that S and the site at place
   bad know: its own, opened; those with who was dropped, opened; those with
   bad. */
static void
remove_known(struct world *w, const struct published *p, size_t i, size_t bad,
    uint64_t *y)
{
	uint8_t key[PRG_KEY], dh[ROUND_KEY];
	uint8_t suite = p->r.p.suite;
	struct pair pair;

	key_self(
	    &w->ctx, &p->r, p->u2_hash, p->r.site[i].id, p->secret[i], 0, key);
	assert_int_equal(
	    prg_apply(suite, key, 64, 0, y, WORDS, PRG_SUBTRACT, &w->err), 0);
	for (size_t j = 0; j < p->r.p.n; j++) {
		const uint8_t *a =
		    j == bad ? w->site[j].prekey_secret : p->secret[j];

		if (j == i || !p->in[j] || (j != bad && p->survived[j]))
			continue;
		pair_dh(&p->r, i, a, dh);
		pair_make(&w->ctx, &p->r, i, j, dh, &pair);
		key_mask(&pair, &p->r, p->u2_hash, 0, key);
		assert_int_equal(prg_apply(suite, key, 64, 0, y, WORDS,
				     i < j ? PRG_SUBTRACT : PRG_ADD, &w->err),
		    0);
	}
}

/*
 * n sites of whom one is corrupted (each in turn), one honest one dropped
 * where that is allowed; all inputs are 0, so that nothing but masks is left.
 * What is left of each honest upload is uniform, and so is every sum of some of
 * them; only that of all is what it is to be, 0.
 */
static void
seen_by_the_corrupted(size_t n, size_t bad, uint8_t suite)
{
	struct world *w = world_new(n, WORDS);
	struct published p;
	uint64_t *seen[WORLD_MAX], *mix = malloc(WORDS * 8);
	size_t h = 0;

	assert_non_null(mix);
	w->ctx.rules.suite = suite;
	for (size_t i = 0; i < n; i++)
		memset(w->site[i].z, 0, WORDS * 8);
	if (n > 3)
		w->site[(bad + 1) % n].leaves = LEAVES_BEFORE_UPLOAD;
	if (world_run(w) != 0)
		fail_msg("%s", w->err.msg);
	read_published(w, &p);
	for (size_t i = 0; i < n; i++) {
		if (i == bad || !p.survived[i])
			continue;
		seen[h++] = w->site[i].y;
		remove_known(w, &p, i, bad, w->site[i].y);
	}
	assert_true(h >= 2); /* h_min */
	for (size_t some = 1; some < (size_t)1 << h; some++) {
		bool all = some + 1 == (size_t)1 << h;

		memset(mix, 0, WORDS * 8);
		for (size_t i = 0; i < h; i++) {
			for (size_t k = 0; (some >> i & 1) != 0 && k < WORDS;
			     k++)
				mix[k] += seen[i][k];
		}
		/* (the test can fail: what is known is not uniform) */
		assert_int_equal(uniform_everywhere(mix), !all);
		for (size_t k = 0; all && k < WORDS; k++)
			assert_true(mix[k] == 0);
	}
	free(mix);
	world_free(w);
}

static void
abuse_29_one_honest_input_is_uniform(void **state)
{
	(void)state;
	for (size_t n = 3; n <= 6; n++) {
		for (size_t bad = 0; bad < n; bad++) {
			seen_by_the_corrupted(n, bad, ROUND_AES256CTR);
			seen_by_the_corrupted(n, bad, ROUND_CHACHA20);
		}
	}
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(abuse_27_few_words_and_the_ends_of_chunks),
		cmocka_unit_test(abuse_27_the_limits_of_an_announcement),
		cmocka_unit_test(abuse_27_ten_million_words_in_bounded_memory),
		cmocka_unit_test(abuse_29_one_honest_input_is_uniform),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
