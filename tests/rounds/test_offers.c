/*
 * What a gate makes of the root's objects, of countersigned checkpoints, and of
 * files of its own that are not what they were: each with its reason.
 */
#include "config.h"

#include "tests/check.h"
#include "tests/rounds/harness.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/macros.h"
#include "crypto/audit.h"
#include "crypto/checkpoint.h"
#include "crypto/exchange.h"
#include "crypto/manifest.h"
#include "study/study.h"
#include "tests/faults/sweep.h"

static struct site *const s = &h.sites[0];

/* Hand it over (and free it); the gate refuses it with the word. */
static void
not_taken(struct canon *object, const char *word)
{
	size_t n = audit_lines(s->name, "refused", word);

	tell_object(s, object);
	wait_for_audit(s->name, "refused", word, n);
	canon_free(object);
}

/*
 * Studies
 */

/* The study with one text in place of another, for a site or for none. */
static struct canon
study_with(const char *from, const char *to, uint32_t epoch, bool of_ours)
{
	uint16_t ids[] = { 10, 11, 12 }, others[] = { 11, 12, OUTSIDER };
	struct signed_study ss = {
		.epoch = epoch, .sites = of_ours ? ids : others, .n_sites = 3
	};
	const char *at = strstr(h.sig->text, from);
	struct canon out = { 0 };
	char text[4096];
	struct err err;

	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - h.sig->text),
	    h.sig->text, to, at + strlen(from));
	memcpy(ss.consortium_id, h.opened->consortium_id, MANIFEST_ID);
	ss.text = text;
	ss.text_len = strlen(text);
	ok(signed_study_sign(&ss, h.root, &out, &err), &err);
	return out;
}

/* It is here from then on, and is not taken part in: why. */
static void
no_part_in(const char *name, struct canon object, const char *why)
{
	size_t n = audit_lines(s->name, "study", name);

	tell_object(s, &object);
	wait_for_audit(s->name, "study", name, n);
	control_ok(s->control, "status", name, NULL, 0);
	assert_string_equal(cell("status"), "refused");
	if (strstr(cell("why"), why) == NULL)
		fail_msg("%s", cell("why"));
	control(s->control, "prepare", name, NULL, 0);
	assert_int_equal(h.reply.code, ERR_REFUSED);
	assert_non_null(strstr(h.reply.error, why));
	canon_free(&object);
}

static bool
has_manifest(void)
{
	return audit_lines(s->name, "manifest", "epoch=1 ") > 0;
}

static void
study_goes_on(void)
{
	control_ok(h.control, "submit", "", h.study.data, h.study.len);
	for (size_t i = 0; i < h.n; i++)
		approve(&h.sites[i]);
	finish();
}

static void
a_study_that_cannot_be_is_refused_with_its_reason(void **state)
{
	struct canon study = { 0 };
	size_t n;

	(void)state;
	canon_raw(&study, h.study.data, h.study.len);
	not_taken(&study, "a study before any manifest");
	control_ok(h.control, "submit", "", h.manifest.data, h.manifest.len);
	wait_until(has_manifest());
	canon_text(&study, "junk");
	not_taken(&study, "envelope");
	study = study_with("name = small", "nome = small", 1, true);
	not_taken(&study, "nome");
	canon_raw(&study, h.study.data, h.study.len);
	study.data[study.len - 1] ^= 1;
	not_taken(&study, "signature");
	no_part_in("newer", study_with("name = small", "name = newer", 2, true),
	    "signed under manifest epoch 2, here it is 1");
	no_part_in("others",
	    study_with("name = small", "name = others", 1, false),
	    "the study does not name this site");
	no_part_in("old",
	    study_with("name = small\ntitle = A small study\n"
		       "purpose = medical research\nlegal-basis = consent\n"
		       "ethics = EK 1/26\ncontact = a@example.org\n"
		       "expires = 2099-01-31",
		"name = old\ntitle = A small study\n"
		"purpose = medical research\nlegal-basis = consent\n"
		"ethics = EK 1/26\ncontact = a@example.org\n"
		"expires = 2001-01-31",
		1, true),
	    "the study has expired");
	control_ok(h.control, "submit", "", h.study.data, h.study.len);
	wait_for_audit(s->name, "study", "study=small", 0);
	study = study_with("A small study", "Another one", 1, true);
	not_taken(&study, "another study of the name small is here already");
	/* The same again is nothing new. */
	n = audit_lines(s->name, "study", "verdict=received");
	tell_object(s, &h.study);
	for (size_t i = 0; i < h.n; i++)
		approve(&h.sites[i]);
	finish();
	assert_int_equal(audit_lines(s->name, "study", "verdict=received"), n);
}

/*
 * Manifests
 */

static struct canon
manifest_by(const struct key *root, const char *consortium, uint32_t epoch,
    const struct key *coordinator)
{
	struct manifest m = { .epoch = epoch,
		.sites = h.opened->sites,
		.n_sites = h.opened->n_sites };
	struct canon out = { 0 };
	struct err err;

	snprintf(m.consortium, sizeof(m.consortium), "%s", consortium);
	m.policy = h.opened->policy;
	m.coordinator = h.opened->coordinator;
	memcpy(m.coordinator.key, key_public(coordinator), KEY_PUBLIC);
	ok(manifest_sign(&m, root, &out, &err), &err);
	return out;
}

static struct canon
manifest_with(
    const char *consortium, uint32_t epoch, const struct key *coordinator)
{
	return manifest_by(h.root, consortium, epoch, coordinator);
}

static struct canon
checkpoint_of(uint64_t lines, const struct key *by, const struct key *over)
{
	struct checkpoint c = { .utc = clock_utc(),
		.state = { .count = lines } };
	struct canon inner = { 0 }, out = { 0 };
	struct err err;

	ok(checkpoint_sign(&c, by, &inner, &err), &err);
	ok(checkpoint_countersign(
	       inner.data, inner.len, clock_utc(), over, &out, &err),
	    &err);
	canon_free(&inner);
	return out;
}

static void
a_manifest_that_cannot_follow_is_refused_with_its_reason(void **state)
{
	struct canon m = { 0 }, c = checkpoint_of(0, s->key, h.coordinator);

	(void)state;
	/* None is looked at before the coordinator has said what it knows. */
	tell_object(s, &h.manifest);
	tell_object(s, &h.manifest);
	tell_object(s, &c);
	canon_free(&c);
	canon_text(&m, "consilium-1/manifest");
	not_taken(&m, "manifest");
	/* Of another root: it asks for the next epoch, once. */
	for (uint32_t epoch = 3; epoch >= 2; epoch--) {
		m = manifest_by(h.outsider, "test", epoch, h.coordinator);
		not_taken(&m, "of another root than the one that is pinned");
	}
	m = manifest_with("test", 1, h.deputy);
	not_taken(&m, "names another coordinator than coordinator.pub");
	/* (It would ask for what follows epoch 3 now.) */
	kill_site(s);
	start_site(s);
	control_ok(h.control, "submit", "", h.manifest.data, h.manifest.len);
	wait_until(has_manifest());
	m = manifest_with("other", 2, h.coordinator);
	not_taken(&m, "manifest of another consortium, other");
	m = manifest_with("test", 1, h.deputy);
	not_taken(&m, "manifest epoch 1, expected one above 1");
	/* Newer, and altered; newer, and another root's. */
	m = manifest_with("test", 2, h.coordinator);
	m.data[m.len - 1] ^= 1;
	not_taken(&m, "signature");
	m = manifest_by(h.deputy, "test", 2, h.coordinator);
	not_taken(&m, "another root");
	/* The same again is nothing new. */
	tell_object(s, &h.manifest);
	study_goes_on();
	assert_int_equal(audit_lines(s->name, "manifest", "epoch="), 1);
}

/*
 * What the coordinator's operator submits
 */

static void
not_submitted(struct canon *object, const char *word)
{
	control(h.control, "submit", "", object->data, object->len);
	assert_true(h.reply.code != ERR_NONE);
	if (strstr(h.reply.error, word) == NULL)
		fail_msg("%s, expected %s", h.reply.error, word);
	canon_free(object);
}

static void
rounds_take_nothing_that_cannot_follow(void **state)
{
	struct canon m, study;

	(void)state;
	m = manifest_with("test", 1, h.deputy);
	not_submitted(&m, "names another coordinator than this one");
	control_ok(h.control, "submit", "", h.manifest.data, h.manifest.len);
	m = checkpoint_of(0, s->key, h.coordinator);
	not_submitted(&m, "expected a manifest or a study");
	m = manifest_with("other", 2, h.coordinator);
	not_submitted(&m, "manifest of another consortium, other");
	m = manifest_with("test", 1, h.coordinator);
	not_submitted(&m, "expected one above 1");
	study = study_with("name = small", "nome = small", 1, true);
	not_submitted(&study, "nome");
	study = study_with("A small study", "Another one", 2, true);
	not_submitted(&study, "signed under manifest epoch 2, here it is 1");
	study = study_with("kind = logistic", "kind = cox", 1, true);
	not_submitted(&study, "study:");
	control_ok(h.control, "submit", "", h.study.data, h.study.len);
	study = study_with("A small study", "Another one", 1, true);
	not_submitted(&study, "a study of the name small is here already");
	/* One more corrupted site to be borne is too much for three. */
	h.opened->policy.corrupted++;
	m = manifest_with("test", 2, h.coordinator);
	not_submitted(&m, "study small could not go on: ");
	for (size_t i = 0; i < h.n; i++)
		approve(&h.sites[i]);
	finish();
	/* But what is done need not go on. */
	m = manifest_with("test", 2, h.coordinator);
	control_ok(h.control, "submit", "", m.data, m.len);
	canon_free(&m);
	wait_for_audit(s->name, "manifest", "epoch=2 ", 0);
	/* Nor does a study begin that could not. */
	study = study_with("name = small", "name = second", 2, true);
	not_submitted(&study, "");
}

/*
 * Checkpoints
 */

static const char *
its(const char *name)
{
	static char path[200];

	snprintf(path, sizeof(path), "%s/%s", s->state, name);
	return path;
}

static void
restart(void)
{
	kill_site(s);
	start_site(s);
}

static void
checkpoints_only_go_on_as_the_log_does(void **state)
{
	struct canon c, ask = { 0 };
	struct err err;

	(void)state;
	control_ok(h.control, "submit", "", h.manifest.data, h.manifest.len);
	wait_until(has_manifest());
	control_ok(s->control, "checkpoint", "", NULL, 0);
	wait_until(access(its("db/checkpoint"), F_OK) == 0);
	c = checkpoint_of(0, s->key, h.coordinator);
	not_taken(&c, "a checkpoint of 0 lines, expected");
	c = checkpoint_of(2, s->key, h.outsider);
	not_taken(&c, "signature");
	c = checkpoint_of(2, h.outsider, h.coordinator);
	not_taken(&c, "signature");
	/* One at a time. */
	assert_int_equal(
	    ctl_request_write(
		&(struct ctl_request){ .command = "checkpoint" }, &ask),
	    0);
	ok(chan_send(
	       s->control, MSG_CTL_REQUEST, 2, ask.data, ask.len, -1, &err),
	    &err);
	control(s->control, "checkpoint", "", NULL, 0);
	assert_int_equal(h.reply.code, ERR_REFUSED);
	assert_non_null(strstr(h.reply.error, "is on its way for another"));
	canon_free(&ask);
	wait_until(h.reply.code == ERR_NONE);
	/* Who shortens the log is found at the next start. */
	kill_site(s);
	c = checkpoint_of(1000000, s->key, h.coordinator);
	ok(file_write(its("db/checkpoint"), c.data, c.len, 0600, &err), &err);
	canon_free(&c);
	start_site(s);
	wait_for_audit(
	    s->name, "lines-missing", "countersigned=1000000 found=", 0);
	/* What is none is said, and does no harm. */
	kill_site(s);
	ok(file_write(its("db/checkpoint"), "x", 1, 0600, &err), &err);
	listen_to_errors();
	start_site(s);
	assert_int_equal(said(&(const char *){ "db/checkpoint: " }, 1), 1);
	study_goes_on();
}

/* As long as ours, and another: the state is another than what has signed it. */
static void
another_log_of_this_sites_is_a_restored_state(void **state)
{
	struct canon c;

	(void)state;
	submit();
	approve(s);
	control_ok(s->control, "checkpoint", "", NULL, 0);
	h.may_die = true;
	c = checkpoint_of((uint64_t)atol(cell("lines")), s->key, h.coordinator);
	tell_object(s, &c);
	canon_free(&c);
	wait_for_audit(s->name, "refused", "others", 0);
	c = checkpoint_of(1000, s->key, h.coordinator);
	tell_object(s, &c);
	wait_until(h.n_deaths == 1);
	assert_int_equal(audit_lines(s->name, "backup-found", "unknown"), 1);
	/* It knows that, and learns how much there was. */
	not_taken(&c, "has countersigned 1000 others");
	c = checkpoint_of(2000, s->key, h.coordinator);
	tell_object(s, &c);
	not_taken(&c, "has countersigned 2000 others");
	assert_int_equal(h.n_deaths, 1);
	/* Until the operator knows, it answers nobody. */
	exchange_wrap(h.digest, "x", 1, &c);
	tell_object(s, &c);
	canon_free(&c);
	wait_for_audit(
	    s->name, "refused", "the database was restored from a backup", 0);
}

/*
 * Starts
 */

static void
does_not_start(const char *word)
{
	h.may_die = true;
	listen_to_errors();
	start_site(s);
	wait_until(h.n_deaths != 0);
	kill_site(s);
	assert_true(said(&word, 1) >= 1);
	h.n_deaths = 0;
}

static void
what_a_start_needs_is_said(void **state)
{
	static const struct {
		const char *file, *word;
	} needed[] = {
		{ "s0.key", "identity.key" },
		{ "root.pub", "root.pub" },
		{ "coordinator.pub", "coordinator.pub" },
		{ "s0/db/gate.db", "gate.db" },
		{ "s0/audit.log", "audit.log" },
	};
	struct err err;

	(void)state;
	begin();
	finish();
	kill_site(s);
	h.o.policy = "smallest-cell = none\n";
	does_not_start("smallest-cell");
	h.o.policy = NULL;
	for (size_t i = 0; i < nitems(needed); i++) {
		const char *path = in_dir(needed[i].file);
		size_t len;
		uint8_t *good = file_read(path, 1 << 24, &len, &err);

		assert_non_null(good);
		ok(file_write(path, "this is none of it\n", 19, 0600, &err),
		    &err);
		does_not_start(needed[i].word);
		ok(file_write(in_dir(needed[i].file), good, len, 0600, &err),
		    &err);
		free(good);
	}
	start_site(s);
	assert_true(done(s->control));
}

/*
 * The count of answers
 */

static void
a_count_that_is_none_is_said(void **state)
{
	static const char *const texts[] = { "", "x", "12 ", "12 3", "12 x\n",
		"12" };
	char kept[64] = "", older[64];
	struct err err;
	uint8_t *text;
	size_t len;

	(void)state;
	begin();
	finish();
	kill_site(s);
	assert_non_null(text = file_read(its("spool/answers"), 60, &len, &err));
	memcpy(kept, text, len);
	free(text);
	for (size_t i = 0; i < nitems(texts); i++) {
		ok(file_write(its("spool/answers"), texts[i], strlen(texts[i]),
		       0600, &err),
		    &err);
		does_not_start("spool/answers: not two whole numbers");
	}
	/* As an older release wrote it: of answers only. */
	snprintf(older, sizeof(older), "%.*s\n", (int)strcspn(kept, " "), kept);
	ok(file_write(its("spool/answers"), older, strlen(older), 0600, &err),
	    &err);
	start_site(s);
	assert_true(done(s->control));
	assert_non_null(text = file_read(its("spool/answers"), 60, &len, &err));
	assert_memory_equal(text, kept, strcspn(kept, " ") + 1);
	assert_int_equal(text[len - 1], '\n');
	free(text);
	/* One more than the database knows: it is a backup. */
	kill_site(s);
	snprintf(older, sizeof(older), "%ld\n", atol(kept) + 1);
	ok(file_write(its("spool/answers"), older, strlen(older), 0600, &err),
	    &err);
	start_site(s);
	control_ok(s->control, "status", "small", NULL, 0);
	assert_non_null(strstr(cell("why"), "restored from a backup"));
	control_ok(s->control, "restored", "", NULL, 0);
	assert_string_equal(cell("answers-from-step"), "never");
	restart();
	control(s->control, "restored", "", NULL, 0);
	assert_int_equal(h.reply.code, ERR_REFUSED);
	/* The same with the steps, which have not changed. */
	kill_site(s);
	snprintf(
	    older, sizeof(older), "%ld%s", atol(kept) + 2, strchr(kept, ' '));
	ok(file_write(its("spool/answers"), older, strlen(older), 0600, &err),
	    &err);
	start_site(s);
	wait_for_audit(s->name, "backup-found", "lost-answers=1 ", 1);
	control_ok(s->control, "restored", "", NULL, 0);
	/* Or there is no count, and there were answers. */
	kill_site(s);
	assert_int_equal(unlink(its("spool/answers")), 0);
	start_site(s);
	wait_for_audit(s->name, "backup-found", "lost-answers=unknown", 0);
	control_ok(s->control, "restored", "", NULL, 0);
	assert_true(done(s->control));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, three_sites, consortium_stop)

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		TEST(a_study_that_cannot_be_is_refused_with_its_reason),
		TEST(a_manifest_that_cannot_follow_is_refused_with_its_reason),
		TEST(rounds_take_nothing_that_cannot_follow),
		TEST(checkpoints_only_go_on_as_the_log_does),
		TEST(another_log_of_this_sites_is_a_restored_state),
		TEST(what_a_start_needs_is_said),
		TEST(a_count_that_is_none_is_said),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
