/*
 * Case 6, all of it: every interleaving of rounds, retries, rosters, share
 * sets and lists on one state, searched exhaustively for N <= 5.  The claim:
 * at most one sum ever opens, of at least h_min honest inputs, and no single
 * input does.
 *
 * What is modelled.  The sites that are not corrupted follow the gate's rules:
 *
 *   - a site answers round numbers in increasing order, and in each one roster,
 *     one share set (U2) and one list (U3), which have at least u_min sites,
 *     itself among them; U3 lies within U2;
 *   - it takes a certificate only of its own U2 and U3 in its newest round,
 *     with q confirms of that very U2 and U3 by sites of U3;
 *   - once it has unmasked it answers no other round on the state, and a newer
 *     round makes it give up the older one.
 *
 * (tests/abuse/cases_coordinator.c drives the real gate through each of them.)
 * The coordinator and c sites beside it do what they like: they confirm
 * anything, know every share that was dealt to them, and choose for each site
 * and round what it is shown, of U2s and U3s that differ from site to site and
 * name sites that never uploaded.  What they can open is not taken from the
 * certificates but computed from the shares that they have: t of a secret open
 * it, and an opened prekey gives all shares that were dealt to its owner.
 *
 * What is left out, since it takes nothing from the attacker: steps that a
 * site takes without a choice are taken at once (it deals when it has a
 * roster, uploads when it has a share set); corrupted sites are in every
 * roster; an abort is a site that is asked no more.  Messages lost, repeated
 * or late, and crashes, are steps that are not, or not yet, taken: a gate
 * stores before it answers.
 *
 * Each of the rules is then left out in turn, to see that the search would
 * find what follows.
 */
#include "tests/check.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/macros.h"
#include "crypto/round.h"

#define SITES 5
#define ROUNDS 3
#define CHOICES_MAX 64

/* What a site has answered in one round: 0 nothing yet, 1 it has dealt, then
   2 + choice: confirmed that U2 and U3, 2 + n_choices + choice: unmasked. */
typedef uint8_t answers[ROUNDS];

static struct {
	struct round_params p;
	unsigned n, c, honest, rounds;
	struct {
		uint8_t u2, u3;
	} choice[CHOICES_MAX];
	uint8_t n_choices;
	/* rules left out */
	bool again_after_unmask, older_rounds_too, small_quorum, small_lists;

	uint8_t *seen; /* bit by state */
	uint64_t n_states, n_opened;
	const char *broken;
} m;

struct state {
	answers site[SITES]; /* (honest) */
};

static unsigned
values(void)
{
	return 2u + 2u * m.n_choices;
}

static uint64_t
number(const struct state *s)
{
	uint64_t k = 0;

	for (unsigned i = 0; i < m.honest; i++)
		for (unsigned r = 0; r < m.rounds; r++)
			k = k * values() + s->site[i][r];
	return k;
}

static unsigned
bits(unsigned set)
{
	return (unsigned)__builtin_popcount(set);
}

/* The choice of a site in a round; kind 1 confirmed, 2 unmasked, 0 neither. */
static int
chosen(const struct state *s, unsigned i, unsigned r, unsigned *kind)
{
	unsigned a = s->site[i][r];

	*kind = a < 2 ? 0 : a < 2u + m.n_choices ? 1 : 2;
	return *kind == 0 ? -1 : (int)((a - 2) % m.n_choices);
}

/*
 * What opens in a round: f[j] and g[j] are the sites whose shares of j's
 * prekey and self-mask are known.  Returns the number of sums, and sets
 * m.broken.
 */
static unsigned
opened(const struct state *s, unsigned r)
{
	unsigned all = (1u << m.n) - 1, bad = all & ~((1u << m.honest) - 1);
	unsigned f[SITES], g[SITES], keys = 0, u2s = 0, sums = 0;
	unsigned t = m.p.threshold, kind;

	for (unsigned j = 0; j < m.n; j++)
		f[j] = g[j] = bad;
	for (unsigned i = 0; i < m.honest; i++) {
		int k = chosen(s, i, r, &kind);

		for (unsigned j = 0; kind == 2 && j < m.n; j++) {
			if ((m.choice[k].u3 >> j & 1) != 0)
				g[j] |= 1u << i;
			else if ((m.choice[k].u2 >> j & 1) != 0)
				f[j] |= 1u << i;
		}
	}
	for (bool more = true; more;) {
		more = false;
		for (unsigned j = 0; j < m.honest; j++) {
			if ((keys >> j & 1) != 0 || bits(f[j]) < t)
				continue;
			keys |= 1u << j;
			more = true;
			for (unsigned d = 0; d < m.n; d++) {
				f[d] |= 1u << j;
				g[d] |= 1u << j;
			}
		}
	}
	for (unsigned i = 0; i < m.honest; i++) {
		int k = chosen(s, i, r, &kind);

		if (kind == 0)
			continue;
		if ((keys >> i & 1) != 0 && bits(g[i]) >= t)
			m.broken = "one input alone";
		if (kind == 1 || kind == 2)
			u2s |= 1u << k;
	}
	/* For each U2 that somebody masked for: its honest sites' pair masks
	   leave the sum of all those whose prekey is not open. */
	for (unsigned k = 0; k < m.n_choices; k++) {
		unsigned u2 = m.choice[k].u2, held = 0, free = 0;
		bool first = true;

		if ((u2s >> k & 1) == 0)
			continue;
		for (unsigned e = 0; e < k; e++)
			first &= (u2s >> e & 1) == 0 || m.choice[e].u2 != u2;
		if (!first)
			continue;
		for (unsigned i = 0; i < m.honest; i++) {
			int e = chosen(s, i, r, &kind);

			if ((u2 >> i & 1) == 0 || (keys >> i & 1) != 0)
				continue;
			held |= 1u << i;
			if (kind != 0 && m.choice[e].u2 == u2 &&
			    bits(g[i]) >= t)
				free |= 1u << i;
		}
		if (held == 0 || held != free)
			continue;
		sums++;
		if (bits(held) < m.p.honest_min)
			m.broken = "a sum of too few";
	}
	return sums;
}

static void
judge(const struct state *s)
{
	unsigned sums = 0;

	for (unsigned r = 0; r < m.rounds; r++)
		sums += opened(s, r);
	m.n_opened += sums != 0;
	if (sums > 1)
		m.broken = "two sums";
}

/* May site i confirm (or unmask) choice k in round r? */
static bool
all_have_dealt(const struct state *s, unsigned r, unsigned k)
{
	for (unsigned j = 0; j < m.honest; j++)
		if ((m.choice[k].u2 >> j & 1) != 0 && s->site[j][r] == 0)
			return false;
	return true;
}

static bool
certified(const struct state *s, unsigned r, unsigned k)
{
	unsigned n = bits(m.choice[k].u3 >> m.honest), kind; /* corrupted */

	for (unsigned j = 0; j < m.honest; j++)
		n += chosen(s, j, r, &kind) == (int)k;
	return n >= m.p.quorum - (m.small_quorum ? 1u : 0u);
}

static void search(struct state *s);

static void
step(struct state *s, unsigned i, unsigned r, unsigned value)
{
	uint8_t before = s->site[i][r];

	s->site[i][r] = (uint8_t)value;
	search(s);
	s->site[i][r] = before;
}

static void
search(struct state *s)
{
	uint64_t at = number(s);

	if (m.broken != NULL || (m.seen[at / 8] >> at % 8 & 1) != 0)
		return;
	m.seen[at / 8] |= (uint8_t)(1u << at % 8);
	m.n_states++;
	judge(s);
	for (unsigned i = 0; i < m.honest; i++) {
		unsigned newest = 0, kind;
		bool unmasked = false;

		for (unsigned r = 0; r < m.rounds; r++) {
			if (s->site[i][r] != 0)
				newest = r;
			chosen(s, i, r, &kind);
			unmasked |= kind == 2;
		}
		/* The first round that it has not answered, or a later one. */
		for (unsigned r = newest; r < m.rounds; r++)
			if (s->site[i][r] == 0 &&
			    (!unmasked || m.again_after_unmask))
				step(s, i, r, 1);
		for (unsigned r = m.older_rounds_too ? 0 : newest; r <= newest;
		     r++) {
			int now = chosen(s, i, r, &kind);

			if (s->site[i][r] == 0 ||
			    (unmasked && !m.again_after_unmask))
				continue;
			for (unsigned k = 0; kind == 0 && k < m.n_choices; k++)
				if ((m.choice[k].u3 >> i & 1) != 0 &&
				    all_have_dealt(s, r, k))
					step(s, i, r, 2 + k);
			if (kind == 1 && certified(s, r, (unsigned)now))
				step(s, i, r, 2u + m.n_choices + (unsigned)now);
		}
	}
}

static void
check_all(unsigned n, unsigned c, unsigned rounds, bool whole_u2)
{
	struct round_rules rules = { .corrupted = (uint16_t)c,
		.honest_min = 2,
		.u_frac_ppm = 750000,
		.suite = ROUND_AES256CTR,
		.bits = 64,
		.verify = ROUND_REPLAY,
		.cohort = ROUND_OPEN };
	struct state s = { 0 };
	uint64_t total = 1;
	unsigned least, bad;
	struct err err;

	m.n = n;
	m.c = c;
	m.honest = n - c;
	m.rounds = rounds;
	m.n_choices = 0;
	m.n_states = m.n_opened = 0;
	m.broken = NULL;
	if (round_params(&rules, n, n, &m.p, &err) != 0)
		fail_msg("%s", err.msg);
	least = m.p.u_min - (m.small_lists ? 1u : 0u);
	bad = ((1u << n) - 1) & ~((1u << m.honest) - 1);
	/* All share sets with the corrupted sites, and all lists within. */
	for (unsigned u2 = 0; u2 < 1u << n; u2++)
		for (unsigned u3 = 0; u3 <= u2; u3++)
			if ((u3 & ~u2) == 0 && (u2 & bad) == bad &&
			    (!whole_u2 || u2 == (1u << n) - 1) &&
			    bits(u3) >= least) {
				assert_true(m.n_choices < CHOICES_MAX);
				m.choice[m.n_choices].u2 = (uint8_t)u2;
				m.choice[m.n_choices++].u3 = (uint8_t)u3;
			}
	for (unsigned i = 0; i < m.honest * rounds; i++)
		total *= values();
	assert_true(total < (uint64_t)1 << 36);
	m.seen = calloc(1, total / 8 + 1);
	assert_non_null(m.seen);
	search(&s);
	free(m.seen);
	printf("N = %u, c = %u, %u rounds: %llu states, a sum open in %llu: "
	       "%s\n",
	    n, c, rounds, (unsigned long long)m.n_states,
	    (unsigned long long)m.n_opened,
	    m.broken != NULL ? m.broken : "never two");
}

static void
abuse_06_at_most_one_sum_opens(void **state)
{
	static const struct {
		unsigned n, c, rounds;
		bool whole_u2;
	} sizes[] = {
		{ 3, 1, 3, false },
		{ 4, 1, 2, false },
		{ 5, 2, 2, false },
		/* For the memory's sake: share sets of all five, any list. */
		{ 5, 1, 2, true },
	};

	(void)state;
	for (size_t i = 0; i < nitems(sizes); i++) {
		check_all(
		    sizes[i].n, sizes[i].c, sizes[i].rounds, sizes[i].whole_u2);
		if (m.broken != NULL)
			fail_msg("%s", m.broken);
		assert_true(m.n_opened != 0); /* a sum can open at all */
	}
}

/* The rules are needed: without any of them the search finds a way. */
static void
without_a_rule_more_would_open(void **state)
{
	(void)state;
	m.again_after_unmask = true;
	check_all(4, 1, 2, false);
	m.again_after_unmask = false;
	assert_non_null(m.broken);
	m.older_rounds_too = true;
	m.again_after_unmask = true;
	check_all(3, 1, 2, false);
	m.older_rounds_too = m.again_after_unmask = false;
	assert_non_null(m.broken);
	m.small_lists = m.small_quorum = true;
	check_all(4, 1, 1, false);
	m.small_lists = m.small_quorum = false;
	assert_non_null(m.broken);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(abuse_06_at_most_one_sum_opens),
		cmocka_unit_test(without_a_rule_more_would_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
