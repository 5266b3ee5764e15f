/*
 * A malicious coordinator, cases 1 to 19 of docs/TESTING.md.  Each test runs a
 * true study; at one moment the gate of site 0 (the victim) gets forged
 * messages, each valid but for one thing, refuses them all with nothing sent
 * and nothing stored, then takes the true one: and the study ends with the
 * model of all rows, to the bit.
 */
#include "config.h"

#include "tests/abuse/forge.h"
#include "tests/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/macros.h"
#include "crypto/manifest.h"
#include "crypto/round_behind.h"

#define ALL ((const bool[]){ true, true, true, true })
#define THREE ((const bool[]){ true, true, true, false })

static struct site *const victim = &h.sites[0];
static unsigned stage; /* how far a test has come */

static int
start(const char *cohort)
{
	if (consortium_start((struct options){ .n = 4,
		.cohort = cohort,
		.ready_wait_s = 60,
		.deadline_s = 20 }) < 0)
		return -1;
	forge_start();
	victim_first = true;
	stage = 0;
	return 0;
}

static int
setup(void **state)
{
	(void)state;
	return start("open");
}

static int
setup_fixed(void **state)
{
	(void)state;
	return start("fixed");
}

static int
teardown(void **state)
{
	(void)state;
	forge_stop();
	return consortium_stop(state);
}

static void run(
    enum fate (*what)(size_t site, enum round_type type, struct canon *msg))
{
	attack = what;
	begin();
	finish();
	assert_true(stage != 0); /* the attack was made */
}

/* The first message of a type for the victim. */
static bool
first(size_t site, enum round_type type, enum round_type wanted)
{
	return site == 0 && type == wanted && stage == 0 && ++stage != 0;
}

static void
refused(struct canon msg, const char *word)
{
	refuses(victim, &msg, word);
}

static void
restart(struct site *s)
{
	kill_site(s);
	start_site(s);
}

/* The true list without its last site. */
static struct canon
shorter_list(struct msg_list *l)
{
	struct canon msg;
	struct err err;

	true_list(0, l);
	l->n--;
	msg = list_of(l);
	ok(round_message_digest(msg.data, msg.len, l->hash, &err), &err);
	return msg;
}

static const uint16_t ids[] = { 10, 11, 12, 13 };
static const size_t keys[] = { 0, 1, 2, 3 };

/* 1 */

static void
both_lists(const char *word)
{
	struct msg_list l;
	struct canon list = shorter_list(&l);
	struct msg_confirm f = confirm_of(&l);

	refused(list, "list: this site has answered another");
	/* Even if all others were the coordinator's. */
	refused(certificate_of(&f, NULL, ids, keys, 3), word);
}

static enum fate
ask_for_both(size_t site, enum round_type type, struct canon *msg)
{
	(void)msg;
	if (site != 0)
		return PASS;
	if (type == ROUND_CERTIFICATE && stage == 0) {
		stage = 1;
		both_lists("another round or list");
	} else if (type == ROUND_RESULT && stage == 1) {
		stage = 2;
		both_lists("has answered another");
	}
	return PASS;
}

/* What leaves has one share of each site: the reader refuses anything else. */
static enum fate
count_shares(size_t site, enum round_type type, struct canon *msg)
{
	struct msg_unmask u;
	struct context c;
	struct roster r;
	struct err err;

	if (type != ROUND_UNMASK)
		return PASS;
	true_roster(site, &r);
	ok(msg_get_unmask(
	       ctx_of(NULL, &c), &r, ALL, ALL, msg->data, msg->len, &u, &err),
	    &err);
	return PASS;
}

static void
abuse_01_both_shares_of_one_site(void **state)
{
	(void)state;
	lie = count_shares;
	run(ask_for_both);
	assert_int_equal(stage, 2);
}

/* 2 */

static enum fate
two_lists(size_t site, enum round_type type, struct canon *msg)
{
	struct msg_list l;

	(void)msg;
	if (!first(site, type, ROUND_CERTIFICATE))
		return PASS;
	refused(shorter_list(&l), "has answered another");
	restart(victim);
	refused(shorter_list(&l), "has answered another");
	answers_again(victim, last_told(0, ROUND_LIST), ROUND_CONFIRM,
	    last_said(0, ROUND_CONFIRM));
	return PASS;
}

static void
abuse_02_two_lists(void **state)
{
	(void)state;
	run(two_lists);
}

static enum fate
two_sharesets(size_t site, enum round_type type, struct canon *msg)
{
	(void)msg;
	if (!first(site, type, ROUND_LIST))
		return PASS;
	refused(shareset_of(0, THREE), "has answered another");
	restart(victim);
	refused(shareset_of(0, THREE), "has answered another");
	answers_again(victim, last_told(0, ROUND_SHARESET), ROUND_UPLOAD,
	    last_said(0, ROUND_UPLOAD));
	return PASS;
}

static void
abuse_02_two_sharesets(void **state)
{
	(void)state;
	run(two_sharesets);
}

static void
kill_in_training(struct site *s)
{
	if (s != victim || stage != 1)
		return;
	stage = 2;
	h.victim = 0;
	h.killed = true; /* finish() brings it back */
	kill_site(s);
}

/* The site is killed when it has stored a share set and not yet masked. */
static enum fate
another_shareset_after_a_crash(
    size_t site, enum round_type type, struct canon *msg)
{
	struct canon junk = { 0 };

	(void)msg;
	if (site != 0 || type != ROUND_SHARESET)
		return PASS;
	if (stage == 0) {
		stage = 1;
		restart(victim); /* it has lost its update */
	} else if (stage == 2) {
		stage = 3;
		refused(shareset_of(0, THREE), "has answered another");
		canon_text(&junk, "consilium-1/shareset");
		canon_bytes(&junk, "x", 1);
		refused(junk, "");
	}
	return PASS;
}

static void
abuse_02_two_sharesets_around_a_crash(void **state)
{
	(void)state;
	h.training = kill_in_training;
	run(another_shareset_after_a_crash);
	assert_int_equal(stage, 3);
}

/* 3 */

static enum fate
bad_certificates(size_t site, enum round_type type, struct canon *msg)
{
	static const uint16_t twice[] = { 10, 11, 11 };
	static const uint16_t foreign[] = { 10, 11, OUTSIDER };
	static const size_t swapped[] = { 0, 2, 1 };
	struct msg_confirm f, other;
	struct msg_list l;

	(void)msg;
	if (!first(site, type, ROUND_CERTIFICATE))
		return PASS;
	true_list(0, &l);
	f = other = confirm_of(&l);
	refused(certificate_of(&f, NULL, ids, keys, 2), "quorum is 3");
	refused(certificate_of(&f, NULL, twice, keys, 3), "twice");
	refused(certificate_of(&f, NULL, foreign, keys, 3), "not one of");
	refused(certificate_of(&f, NULL, ids, swapped, 3), "not confirmed");
	other.roster[0] ^= 1; /* signatures of another round */
	refused(certificate_of(&f, &other, ids, keys, 4), "not confirmed");
	refused(certificate_of(&other, NULL, ids, keys, 4), "another round");
	other = f;
	other.u3[0] ^= 1;
	refused(certificate_of(&other, NULL, ids, keys, 4), "another round");
	return PASS;
}

static void
abuse_03_certificates_without_a_quorum(void **state)
{
	(void)state;
	run(bad_certificates);
}

/* 4 */

static enum fate
lowered_parameters(size_t site, enum round_type type, struct canon *msg)
{
	struct roster r, forged;
	struct msg_list l;

	(void)msg;
	if (site == 0 && type == ROUND_LIST && stage == 1) {
		stage = 2;
		true_list(0, &l);
		l.n = 2;
		refused(list_of(&l), "at least 3");
	}
	if (!first(site, type, ROUND_ROSTER))
		return PASS;
	true_roster(0, &r);
#define LOWERED(field, value)                                                  \
	forged = r;                                                            \
	forged.p.field = value;                                                \
	refused(roster_of(&forged), "roster: ")
	LOWERED(n_study, 3);
	LOWERED(corrupted, 0);
	LOWERED(honest_min, 1);
	LOWERED(u_frac_ppm, 500000);
	LOWERED(quorum, 2);
	LOWERED(threshold, 2);
	LOWERED(u_min, 2);
	LOWERED(d_max, 2);
	LOWERED(degree, 2);
#undef LOWERED
	forged = r;
	forged.p.n = 2;
	refused(roster_of(&forged), "roster: ");
	return PASS;
}

static void
abuse_04_lowered_parameters(void **state)
{
	(void)state;
	run(lowered_parameters);
	assert_int_equal(stage, 2);
}

/* 5 */

/* Of four sites one may be missing: the fourth is, then a second as well. */
static enum fate
lose_the_fourth(size_t site, enum round_type type, struct canon *msg)
{
	(void)msg;
	return site == 3 && type == ROUND_UPLOAD && at_step[3] == 0 ? LOSE
								    : PASS;
}

static enum fate
too_many_dropped(size_t site, enum round_type type, struct canon *msg)
{
	static const bool two[] = { true, true, false, false };
	struct msg_list l;

	(void)msg;
	if (first(site, type, ROUND_SHARESET)) {
		refused(shareset_of(0, two), "at least 3");
	} else if (site == 0 && type == ROUND_LIST && stage == 1) {
		stage = 2;
		true_list(0, &l);
		assert_int_equal(l.n, 3);
		l.n = 2;
		refused(list_of(&l), "at least 3");
	}
	return PASS;
}

static int
setup_short(void **state)
{
	(void)state;
	if (consortium_start((struct options){ .n = 4,
		.cohort = "open",
		.ready_wait_s = 1,
		.deadline_s = 2 }) < 0)
		return -1;
	forge_start();
	victim_first = true;
	stage = 0;
	return 0;
}

static void
abuse_05_more_dropped_than_allowed(void **state)
{
	(void)state;
	h.missing[0] = 1u << 3;
	lie = lose_the_fourth;
	run(too_many_dropped);
	assert_int_equal(stage, 2);
}

/* 6 */

static enum fate
again_after_the_release(size_t site, enum round_type type, struct canon *msg)
{
	struct round_about about;

	(void)msg;
	if (!first(site, type, ROUND_RESULT))
		return PASS;
	true_announce(0, &about);
	about.round++;
	refused(announce_of(&about), "has a sum already");
	restart(victim);
	refused(announce_of(&about), "has a sum already");
	refused(abort_of(0, "never mind"), "can only complete");
	answers_again(victim, last_told(0, ROUND_CERTIFICATE), ROUND_UNMASK,
	    last_said(0, ROUND_UNMASK));
	return PASS;
}

static void
abuse_06_the_same_state_again(void **state)
{
	(void)state;
	run(again_after_the_release);
}

/* The others open the sum; the victim was told that the round has ended. */
static enum fate
false_abort(size_t site, enum round_type type, struct canon *msg)
{
	struct canon end;
	size_t n;

	if (!first(site, type, ROUND_CERTIFICATE))
		return PASS;
	n = audit_lines(victim->name, "abort", "");
	end = abort_of(0, "please run it again");
	tell(victim, &end);
	canon_free(&end);
	wait_for_audit(victim->name, "abort", "please run it again", n);
	refused(copy_of(msg), "does not wait for it");
	restart(victim);
	refused(copy_of(msg), "does not wait for it");
	return LOSE;
}

static void
abuse_06_a_false_abort_then_the_certificate(void **state)
{
	(void)state;
	run(false_abort);
	assert_int_equal(answered[0][0][ROUND_UNMASK].len, 0);
}

/* A newer round of the state: whatever the older one still asks is refused. */
static enum fate
retry_then_the_certificate(size_t site, enum round_type type, struct canon *msg)
{
	struct round_about about;
	struct canon retry;
	size_t sent = victim->n_sent;

	if (!first(site, type, ROUND_CERTIFICATE))
		return PASS;
	true_announce(0, &about);
	about.round += 100;
	retry = announce_of(&about);
	tell(victim, &retry);
	while (victim->n_sent == sent)
		pump(5);
	wait_idle(victim);
	assert_int_equal(victim->last, ROUND_READY);
	canon_free(&retry);
	refused(copy_of(msg), "");
	refused(copy_of(last_told(0, ROUND_LIST)), "");
	restart(victim);
	refused(copy_of(msg), "");
	return LOSE;
}

static void
abuse_06_a_retry_then_the_certificate(void **state)
{
	(void)state;
	attack = retry_then_the_certificate;
	begin();
	/* The three others open it, and the victim takes the result.  (It will
	   answer no round below the number that it was made to believe.) */
	wait_for_audit(victim->name, "sum", "sites=4", 0);
	assert_int_equal(stage, 1);
	assert_int_equal(answered[0][0][ROUND_UNMASK].len, 0);
	assert_int_equal(audit_lines(victim->name, "unmask", ""), 0);
}

/* 7 */

static enum fate
another_set(size_t site, enum round_type type, struct canon *msg)
{
	struct msg_list l;
	struct roster r;

	(void)msg;
	if (site != 0 || at_step[0] != 1)
		return PASS;
	if (type == ROUND_ROSTER && stage == 0) {
		stage = 1;
		true_roster(0, &r);
		r.p.n = 3;
		r.p.d_max = 0;
		r.p.degree = 2;
		refused(roster_of(&r), "fixed set");
	} else if (type == ROUND_SHARESET && stage == 1) {
		stage = 2;
		/* (a share set is no sum: the list decides) */
	} else if (type == ROUND_LIST && stage == 2) {
		stage = 3;
		refused(shorter_list(&l), "fixed set");
	}
	return PASS;
}

static void
abuse_07_another_set_than_the_fixed_one(void **state)
{
	(void)state;
	run(another_set);
	assert_int_equal(stage, 3);
}

static void
abuse_07_every_change_of_the_set_is_in_every_log(void **state)
{
	(void)state;
	h.missing[0] = 1u << 3;
	lie = lose_the_fourth;
	begin();
	finish();
	for (size_t i = 0; i < h.n; i++)
		assert_int_equal(
		    audit_lines(h.sites[i].name, "set-changed", "new=s3"), 1);
}

/* 8 */

static enum fate
replays(size_t site, enum round_type type, struct canon *msg)
{
	static const enum round_type asked[] = { ROUND_ANNOUNCE, ROUND_ROSTER,
		ROUND_SHARESET, ROUND_LIST, ROUND_CERTIFICATE, ROUND_RESULT };
	static const enum round_type kinds[] = { ROUND_READY, ROUND_SHARES,
		ROUND_UPLOAD, ROUND_CONFIRM, ROUND_UNMASK };

	(void)msg;
	if (site != 0 || at_step[0] != 1 || type == ROUND_ANNOUNCE ||
	    type == ROUND_RESULT || type == ROUND_ABORT)
		return PASS;
	stage++;
	for (size_t i = 0; i < nitems(asked); i++)
		refused(copy_of(&told[0][0][asked[i]]), "");
	if (type != ROUND_CERTIFICATE)
		return PASS;
	/* Nor does the coordinator take a site's from an older round. */
	for (size_t i = 0; i < nitems(kinds); i++)
		assert_string_not_equal(
		    rounds_say(&h.sites[1], &answered[0][1][kinds[i]]), "");
	return PASS;
}

static void
abuse_08_replayed_messages(void **state)
{
	(void)state;
	run(replays);
	assert_true(stage >= 4);
}

/* 9 */

static enum fate
prekey_twice(size_t site, enum round_type type, struct canon *msg)
{
	struct roster old, r;
	struct err err;

	(void)msg;
	if (site != 0)
		return PASS;
	if (type == ROUND_ROSTER && stage == 0) {
		stage = 1;
		/* The same question is answered with the same prekey. */
		restart(victim);
		answers_again(victim, last_told(0, ROUND_ANNOUNCE), ROUND_READY,
		    last_said(0, ROUND_READY));
	} else if (type == ROUND_SHARESET && stage == 1) {
		stage = 2;
		true_roster(0, &r);
		r.site[3].prekey.id++;
		sign_prekey(h.sites[3].key, 13, &r.site[3].prekey);
		refused(roster_of(&r), "");
		restart(victim);
		refused(roster_of(&r), "");
	} else if (type == ROUND_ROSTER && at_step[0] == 1 && stage == 2) {
		stage = 3;
		ok(roster_read(told[0][0][ROUND_ROSTER].data,
		       told[0][0][ROUND_ROSTER].len, &old, &err),
		    &err);
		true_roster(0, &r);
		assert_int_not_equal(
		    old.site[0].prekey.id, r.site[0].prekey.id);
		r.site[0].prekey = old.site[0].prekey;
		refused(roster_of(&r), "not the prekey");
	}
	return PASS;
}

static void
abuse_09_a_prekey_in_two_rosters(void **state)
{
	(void)state;
	run(prekey_twice);
	assert_int_equal(stage, 3);
}

/* 10 */

static enum fate
other_states(size_t site, enum round_type type, struct canon *msg)
{
	struct round_about about;
	struct round_ctx ctx;
	struct canon forged = { 0 };
	struct context c;
	struct err err;

	(void)msg;
	if (!first(site, type, ROUND_ANNOUNCE))
		return PASS;
#define OTHER(what, word)                                                      \
	true_announce(0, &about);                                              \
	what;                                                                  \
	refused(announce_of(&about), word)
	OTHER(about.state[31] ^= 1, "state");
	OTHER(about.step++, "state");
	OTHER(about.words++, "state");
	OTHER(strcpy(about.kind, "newton"), "state");
	OTHER(about.round = 0, "round 0");
#undef OTHER
	true_announce(0, &about);
	ctx = *ctx_of(NULL, &c);
	ctx.epoch++;
	ok(msg_put_announce(&ctx, &about, &forged, &err), &err);
	refused(forged, "epoch");
	forged = (struct canon){ 0 };
	ctx = *ctx_of(NULL, &c);
	ctx.study[0] ^= 1;
	ok(msg_put_announce(&ctx, &about, &forged, &err), &err);
	refused(forged, "study");
	forged = (struct canon){ 0 };
	/* Signed by a site. */
	ok(msg_put_announce(ctx_of(&h.sites[1], &c), &about, &forged, &err),
	    &err);
	refused(forged, "sign");
	return PASS;
}

static void
abuse_10_another_state(void **state)
{
	(void)state;
	run(other_states);
}

/* 11 */

static enum fate
false_sum(size_t site, enum round_type type, struct canon *msg)
{
	struct canon content;

	if (site != 0 || type != ROUND_RESULT || ++stage != 1)
		return PASS;
	content = content_of(msg, "result");
	content.data[content.len - 1] ^= 1;
	canon_free(msg);
	*msg = signed_anew(NULL, "result", content);
	return PASS;
}

/* The second time, an input that is not the one that was signed. */
static void
false_input(struct site *s, struct canon *words)
{
	if (s == victim && stage == 2) {
		words->data[8] ^= 1;
		stage = 3;
	}
}

static void
abuse_11_a_false_sum(void **state)
{
	(void)state;
	h.fetched = false_input;
	run(false_sum);
	assert_true(stage >= 4);
	assert_int_equal(
	    audit_lines(victim->name, "refused", "its sum is not"), 1);
	assert_int_equal(
	    audit_lines(victim->name, "refused", "not the one that it signed"),
	    1);
}

/* 12 */

static enum fate
wrong_members(size_t site, enum round_type type, struct canon *msg)
{
	struct roster r, forged;

	(void)msg;
	if (!first(site, type, ROUND_ROSTER))
		return PASS;
	true_roster(0, &r);
	forged = r; /* nobody */
	forged.site[3].id = 41;
	refused(roster_of(&forged), "not an active one");
	forged = r; /* a member that the study does not name */
	forged.site[3].id = OUTSIDER;
	sign_prekey(h.outsider, OUTSIDER, &forged.site[3].prekey);
	refused(roster_of(&forged), "not an active one");
	forged = r;
	forged.site[3] = r.site[2];
	refused(roster_of(&forged), "twice");
	forged = r; /* out of order */
	forged.site[2] = r.site[3];
	forged.site[3] = r.site[2];
	refused(roster_of(&forged), "twice or out of order");
	forged = r; /* another's key */
	forged.site[3].prekey = r.site[2].prekey;
	refused(roster_of(&forged), "not signed by site 13");
	forged = r; /* signed by another */
	sign_prekey(h.sites[2].key, 13, &forged.site[3].prekey);
	refused(roster_of(&forged), "not signed by site 13");
	return PASS;
}

static void
abuse_12_members_that_are_none(void **state)
{
	(void)state;
	run(wrong_members);
}

/* A new round is announced to site 3 alone: a roster of it. */
static struct canon
roster_of_next_round(struct round_about about)
{
	struct msg_ready ready;
	struct canon t0, *m1 = &answered[0][3][ROUND_READY];
	int64_t until = clock_mono_ms() + TIMEOUT_MS;
	struct roster r;
	struct context c;
	struct err err;

	true_roster(3, &r);
	about.round++;
	t0 = announce_of(&about);
	canon_free(m1);
	for (tell(&h.sites[3], &t0); m1->len == 0; pump(20))
		assert_true(clock_mono_ms() < until);
	wait_idle(&h.sites[3]);
	ok(msg_get_ready(ctx_of(NULL, &c), m1->data, m1->len, &ready, &err),
	    &err);
	ok(round_message_digest(t0.data, t0.len, r.announce, &err), &err);
	canon_free(&t0);
	for (size_t i = 0; i < 3; i++)
		sign_prekey(h.sites[i].key, h.sites[i].id, &r.site[i].prekey);
	r.site[3].prekey = ready.prekey;
	return roster_of(&r);
}

/* The root revokes site 0; the coordinator uses it all the same: in the round
   that is on, then in the next. */
static enum fate
revoked_member(size_t site, enum round_type type, struct canon *msg)
{
	struct canon object = { 0 }, roster;
	struct round_about about;
	struct err err;
	size_t n;

	if (site != 3 || type != ROUND_ROSTER || stage != 0)
		return stage == 0 ? PASS : LOSE;
	stage = 1;
	true_announce(3, &about);
	h.opened->epoch = 2;
	h.opened->sites[0].active = false;
	ok(manifest_sign(h.opened, h.root, &object, &err), &err);
	n = audit_lines("s3", "manifest", "epoch=2");
	tell_object(&h.sites[3], &object);
	canon_free(&object);
	wait_for_audit("s3", "manifest", "epoch=2", n);
	control_ok(h.sites[3].control, "status", "small", NULL, 0);
	roster = copy_of(msg);
	refuses(&h.sites[3], &roster, "prekey 1 has been used");
	roster = roster_of_next_round(about);
	refuses(&h.sites[3], &roster, "site 10 is not an active");
	stage = 2;
	return LOSE;
}

static void
abuse_12_a_revoked_member(void **state)
{
	(void)state;
	attack = revoked_member;
	begin();
	wait_until(stage >= 2);
	assert_int_equal(answered[0][3][ROUND_SHARES].len, 0);
}

/* 13 */

static enum fate
bad_keys(size_t site, enum round_type type, struct canon *msg)
{
	struct roster r, forged;
	struct prekey *p = &forged.site[2].prekey;
	const struct key *k = h.sites[2].key;

	(void)msg;
	if (!first(site, type, ROUND_ROSTER))
		return PASS;
	true_roster(0, &r);
	forged = r; /* the coordinator's, in its place */
	memcpy(p->pk, r.site[1].prekey.pk, ROUND_KEY);
	refused(roster_of(&forged), "not signed by site 12");
	forged = r; /* a colluding site signs what it should not */
	memcpy(p->pk, r.site[1].prekey.pk, ROUND_KEY);
	sign_prekey(k, 12, p);
	refused(roster_of(&forged), "same prekey");
	forged = r; /* the identity */
	memset(p->pk, 0, ROUND_KEY);
	sign_prekey(k, 12, p);
	refused(roster_of(&forged), "not a point");
	forged = r; /* not canonical */
	memset(p->pk, 0xff, ROUND_KEY);
	sign_prekey(k, 12, p);
	refused(roster_of(&forged), "not a point");
	forged = r;
	p->expiry = 1000000000;
	sign_prekey(k, 12, p);
	refused(roster_of(&forged), "expired");
	forged = r; /* not as we offered it */
	forged.site[0].prekey.expiry++;
	sign_prekey(victim->key, 10, &forged.site[0].prekey);
	refused(roster_of(&forged), "not the prekey");
	return PASS;
}

static void
abuse_13_bad_keys(void **state)
{
	(void)state;
	run(bad_keys);
}

/* 14 */

static enum fate
two_rosters(size_t site, enum round_type type, struct canon *msg)
{
	struct round_about about;
	struct roster r;

	if (type != ROUND_ROSTER || site < 2)
		return PASS;
	true_announce(site, &about);
	if (about.round != 1)
		return PASS;
	true_roster(site, &r);
	r.site[3].prekey.id++;
	sign_prekey(h.sites[3].key, 13, &r.site[3].prekey);
	canon_free(msg);
	*msg = roster_of(&r);
	return PASS;
}

/* A roster for the victim alone; the others come to a sum without it. */
static enum fate
another_roster(size_t site, enum round_type type, struct canon *msg)
{
	struct roster r;

	if (!first(site, type, ROUND_ROSTER))
		return PASS;
	true_roster(site, &r);
	r.site[3].prekey.id++;
	sign_prekey(h.sites[3].key, 13, &r.site[3].prekey);
	canon_free(msg);
	*msg = roster_of(&r);
	return PASS;
}

static void
abuse_14_a_roster_for_one_site_alone(void **state)
{
	(void)state;
	victim_first = false;
	h.missing[0] = 1u << 0;
	run(another_roster);
	/* Refused by the coordinator, given up when the sum came: no share of
	   it was opened, and the model is that of all later sums. */
	assert_int_equal(audit_lines("s0", "two-rosters", "round=1 "), 1);
	assert_int_equal(audit_lines("s0", "two-rosters", ""), 1);
	assert_int_equal(audit_lines("s1", "two-rosters", ""), 0);
	assert_int_equal(audit_lines("s0", "upload", "round=1 "), 0);
	assert_int_equal(audit_lines("s0", "unmask", "round=1 "), 0);
	assert_int_equal(audit_lines("s0", "sum", "round=1 "), 1);
}

static void
abuse_14_different_rosters_to_two_groups(void **state)
{
	(void)state;
	attack = two_rosters;
	begin();
	wait_until(answered[0][0][ROUND_SHARES].len != 0 &&
	    answered[0][1][ROUND_SHARES].len != 0 &&
	    answered[0][2][ROUND_SHARES].len != 0);
	/* Site 2 has dealt for its roster, which is not the victim's. */
	stage = 2;
	wait_idle(victim);
	refused(shareset_of(0, THREE), "");
	assert_int_equal(audit_lines("s0", "upload", ""), 0);
	assert_int_equal(audit_lines("s2", "upload", ""), 0);
	finish(); /* in another round */
	assert_true(audit_lines("s0", "abort", "deadline") > 0);
}

/* 15 */

static enum fate
not_canonical(size_t site, enum round_type type, struct canon *msg)
{
	static const char *const labels[] = { "consilium-2/roster",
		"consilium-1/Roster", "consilium-1/", "" };
	struct canon content, forged;
	struct roster r, other;

	if (!first(site, type, ROUND_ROSTER))
		return PASS;
	true_roster(0, &r);
#define DOWNGRADED(field, value)                                               \
	other = r;                                                             \
	other.p.field = value;                                                 \
	refused(roster_of(&other), "parameters")
	DOWNGRADED(suite, 2);
	DOWNGRADED(suite, 0);
	DOWNGRADED(bits, 32);
	DOWNGRADED(verify, ROUND_TRUST);
	DOWNGRADED(cohort, ROUND_FIXED);
#undef DOWNGRADED
	for (size_t i = 0; i < nitems(labels); i++) {
		forged = (struct canon){ 0 };
		content = content_of(msg, "roster");
		canon_text(&forged, labels[i]);
		canon_bytes(&forged, content.data, content.len);
		canon_raw(&forged, msg->data + msg->len - 64, 64);
		canon_free(&content);
		refused(forged, "");
	}
	/* Counts and lengths far beyond what is there. */
	content = content_of(msg, "roster");
	memset(content.data + ROUND_DIGEST, 0xff, 4); /* N and n */
	refused(signed_anew(NULL, "roster", content), "");
	forged = copy_of(msg);
	memset(forged.data + 4 + strlen("consilium-1/roster"), 0xff, 4);
	refused(forged, "");
	forged = copy_of(msg);
	memset(forged.data, 0xff, 4);
	refused(forged, "");
	/* More, and less, than there should be: signed. */
	content = content_of(msg, "roster");
	canon_u8(&content, 0);
	refused(signed_anew(NULL, "roster", content), "");
	for (size_t cut = 1; cut < 200; cut += 33) {
		content = content_of(msg, "roster");
		content.len -= cut;
		refused(signed_anew(NULL, "roster", content), "");
	}
	forged = copy_of(msg);
	forged.data[forged.len - 1] ^= 0x10; /* S of the signature */
	refused(forged, "sign");
	forged = copy_of(msg);
	canon_u8(&forged, 0);
	refused(forged, "");
	return PASS;
}

static void
abuse_15_downgrades_and_what_is_not_canonical(void **state)
{
	(void)state;
	run(not_canonical);
}

/* 18 */

static enum fate
lose_the_unmask(size_t site, enum round_type type, struct canon *msg)
{
	(void)msg;
	return site == 0 && type == ROUND_UNMASK && at_step[0] == 0 ? LOSE
								    : PASS;
}

static enum fate
please_run_it_again(size_t site, enum round_type type, struct canon *msg)
{
	struct round_about about;

	(void)type;
	(void)msg;
	if (site != 0 || at_step[0] != 0 ||
	    answered[0][0][ROUND_UNMASK].len == 0 || stage != 0)
		return PASS;
	stage = 1;
	for (unsigned i = 0; i < 2; i++) {
		true_announce(0, &about);
		about.round++;
		refused(announce_of(&about), "has a sum already");
		refused(abort_of(0, "a site is missing"), "only complete");
		answers_again(victim, last_told(0, ROUND_CERTIFICATE),
		    ROUND_UNMASK, last_said(0, ROUND_UNMASK));
		restart(victim);
	}
	return PASS;
}

static void
abuse_18_a_partial_unmask_run_again(void **state)
{
	(void)state;
	lie = lose_the_unmask;
	run(please_run_it_again);
}

/* It says that it was restored from a backup, and that it knows of nothing. */
static struct canon
behind_of(const struct round_behind *b, const struct site *by)
{
	struct canon msg = { 0 };
	struct context c;
	struct err err;

	ok(round_behind_put(ctx_of(by, &c), b, &msg, &err), &err);
	return msg;
}

static void
other_pasts(const struct round_behind *truth)
{
	struct round_behind b;
	struct canon content, msg;

#define OTHER(what, word)                                                      \
	b = *truth;                                                            \
	what;                                                                  \
	refused(behind_of(&b, NULL), word)
	OTHER(b.state[5] ^= 1, "another state at step 0");
	OTHER(b.step = 1, "this site is at 0");
	OTHER(b.wish = ROUND_WISHES, "behind");
#undef OTHER
	refused(behind_of(truth, &h.sites[1]), "sign");
	msg = behind_of(truth, NULL);
	content = content_of(&msg, "behind");
	content.data[0] ^= 1;
	canon_free(&msg);
	refused(signed_anew(NULL, "behind", content), "another study");
}

/* What it gets is what it had: the same upload, the same shares. */
static void
hands_back_what_it_said(const struct round_behind *b)
{
	int64_t until = clock_mono_ms() + TIMEOUT_MS;
	struct canon msg = behind_of(b, NULL);
	const struct canon *kept = &answered[0][0][ROUND_KEPT];
	static const struct {
		enum kept_part part;
		enum round_type type;
	} parts[] = {
		{ KEPT_SHARES, ROUND_SHARES },
		{ KEPT_UPLOAD, ROUND_UPLOAD },
		{ KEPT_CONFIRM, ROUND_CONFIRM },
		{ KEPT_UNMASK, ROUND_UNMASK },
	};
	struct round_kept k;
	struct err err;

	canon_free(&answered[0][0][ROUND_KEPT]);
	h.take_vectors = true; /* the true one has asked for nothing */
	for (tell(victim, &msg); kept->len == 0; pump(5))
		assert_true(clock_mono_ms() < until);
	h.take_vectors = false;
	canon_free(&msg);
	wait_idle(victim);
	ok(round_kept_read(kept->data, kept->len, &k, &err), &err);
	for (size_t i = 0; i < nitems(parts); i++) {
		const struct canon *before = &answered[0][0][parts[i].type];

		assert_int_equal(k.part[parts[i].part].len, before->len);
		assert_memory_equal(
		    k.part[parts[i].part].p, before->data, before->len);
	}
}

static enum fate
pretends(size_t site, enum round_type type, struct canon *msg)
{
	struct round_behind b = { .wish = ROUND_WISH_NEXT };
	struct round_about about;

	(void)msg;
	if (site != 0 || at_step[0] != 0 || type != ROUND_RESULT || stage != 0)
		return PASS;
	stage = 1;
	true_announce(0, &about);
	memcpy(b.state, about.state, sizeof(b.state));
	for (unsigned i = 0; i < 2; i++) {
		other_pasts(&b);
		hands_back_what_it_said(&b);
		/* No second sum comes of it. */
		about.round += 100;
		refused(announce_of(&about), "has a sum already");
		restart(victim);
	}
	return PASS;
}

static void
abuse_18_a_coordinator_that_pretends_to_be_restored(void **state)
{
	(void)state;
	run(pretends);
}

/* It says that it has lost what a sum was made of: it gets what it had, of that
   round and of no other, and of one sum only. */
static struct round_behind lost;

static void
gives_the_upload_again(const struct canon *upload)
{
	struct round_behind b;
	struct canon msg;

	for (unsigned i = 0; i < 2; i++) {
		b = lost;
		b.round++;
		refused(behind_of(&b, NULL), "no upload to round");
		b = lost;
		b.state[5] ^= 1;
		refused(behind_of(&b, NULL), "another state at step 0");
		msg = behind_of(&lost, NULL);
		answers_again(victim, &msg, ROUND_UPLOAD, upload);
		canon_free(&msg);
		restart(victim);
	}
}

static enum fate
wants_uploads(size_t site, enum round_type type, struct canon *msg)
{
	struct round_about about;

	(void)msg;
	if (site != 0)
		return PASS;
	if (stage == 0 && at_step[0] == 0 && type == ROUND_RESULT) {
		stage = 1;
		true_announce(0, &about);
		lost = (struct round_behind){ .wish = ROUND_WISH_UPLOAD,
			.round = about.round };
		memcpy(lost.state, about.state, sizeof(lost.state));
		gives_the_upload_again(&answered[0][0][ROUND_UPLOAD]);
	} else if (stage == 1 && at_step[0] == 1 && type == ROUND_ANNOUNCE) {
		stage = 2;
		gives_the_upload_again(&answered[0][0][ROUND_UPLOAD]);
	} else if (stage == 2 && at_step[0] == 2 && type == ROUND_ANNOUNCE) {
		stage = 3;
		refused(behind_of(&lost, NULL), "no upload to round");
	}
	return PASS;
}

static void
abuse_18_a_coordinator_that_pretends_to_have_lost_uploads(void **state)
{
	(void)state;
	run(wants_uploads);
	assert_int_equal(stage, 3);
}

/* 19 */

static const struct {
	uint32_t step; /* 0 sums a count, 1 real numbers */
	size_t at; /* 0 is the weight */
	double value;
} bad_values[] = {
	{ 0, 1, NAN },
	{ 0, 1, INFINITY },
	{ 0, 1, -1 },
	{ 0, 1, 1e300 },
	{ 0, 0, -1 },
	{ 0, 0, NAN },
	{ 0, 0, 0.5 },
	{ 0, 0, 1e6 }, /* more than rows-per-site */
	{ 1, 1, NAN },
	{ 1, 2, INFINITY },
	{ 1, 1, -INFINITY },
	{ 1, 2, 1e300 },
	{ 1, 1, -1e300 },
	{ 1, 0, -1 },
};

static void
spoil(struct site *s, struct canon *msg)
{
	size_t at = 36 + 8 * bad_values[MIN(stage, 13)].at;
	uint64_t bits;

	if (s != victim || stage >= nitems(bad_values) ||
	    bad_values[stage].step != at_step[0])
		return;
	assert_true(at + 8 <= msg->len);
	memcpy(&bits, &bad_values[stage].value, sizeof(bits));
	for (unsigned k = 0; k < 8; k++)
		msg->data[at + k] = (uint8_t)(bits >> (56 - 8 * k));
	stage++;
}

static enum fate
train_badly(size_t site, enum round_type type, struct canon *msg)
{
	if (site != 0 || type != ROUND_ANNOUNCE)
		return PASS;
	while (stage < nitems(bad_values) &&
	    bad_values[stage].step == at_step[0]) {
		size_t n = audit_lines("s0", "training-failed", "");
		size_t sent = victim->n_sent;

		tell(victim, msg);
		wait_for_audit("s0", "training-failed", "", n);
		assert_int_equal(victim->n_sent, sent);
	}
	return PASS;
}

static void
abuse_19_values_beyond_their_bounds(void **state)
{
	(void)state;
	h.trained = spoil;
	run(train_badly);
	assert_int_equal(
	    audit_lines("s0", "training-failed", ""), nitems(bad_values));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TEST_FIXED(f) cmocka_unit_test_setup_teardown(f, setup_fixed, teardown)
#define TEST_SHORT(f) cmocka_unit_test_setup_teardown(f, setup_short, teardown)

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		TEST(abuse_01_both_shares_of_one_site),
		TEST(abuse_02_two_lists),
		TEST(abuse_02_two_sharesets),
		TEST(abuse_02_two_sharesets_around_a_crash),
		TEST(abuse_03_certificates_without_a_quorum),
		TEST(abuse_04_lowered_parameters),
		TEST_SHORT(abuse_05_more_dropped_than_allowed),
		TEST(abuse_06_the_same_state_again),
		TEST(abuse_06_a_false_abort_then_the_certificate),
		TEST(abuse_06_a_retry_then_the_certificate),
		TEST_FIXED(abuse_07_another_set_than_the_fixed_one),
		TEST_SHORT(abuse_07_every_change_of_the_set_is_in_every_log),
		TEST(abuse_08_replayed_messages),
		TEST(abuse_09_a_prekey_in_two_rosters),
		TEST(abuse_10_another_state),
		TEST(abuse_11_a_false_sum),
		TEST(abuse_12_members_that_are_none),
		TEST(abuse_12_a_revoked_member),
		TEST(abuse_13_bad_keys),
		TEST_SHORT(abuse_14_different_rosters_to_two_groups),
		TEST_SHORT(abuse_14_a_roster_for_one_site_alone),
		TEST(abuse_15_downgrades_and_what_is_not_canonical),
		TEST(abuse_18_a_partial_unmask_run_again),
		TEST(abuse_18_a_coordinator_that_pretends_to_be_restored),
		TEST(abuse_18_a_coordinator_that_pretends_to_have_lost_uploads),
		TEST(abuse_19_values_beyond_their_bounds),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
