/*
 * A site with a new identity, and a root that hands over, while a study runs.
 */
#include "config.h"

#include "tests/check.h"
#include "tests/rounds/harness.h"

#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "crypto/audit.h"
#include "crypto/manifest.h"

static struct site *const renewed = &h.sites[3];

static int
setup(void **state)
{
	(void)state;
	return consortium_start((struct options){ .n = 4,
	    .cohort = "open",
	    .iterations = 3,
	    .ready_wait_s = 1,
	    .deadline_s = 2 });
}

/* As consiliumctl site reset does. */
static void
reset(struct site *s, uint8_t old[KEY_PUBLIC])
{
	char key[160], log[192];
	struct audit *a;
	struct err err;
	struct key *next = key_new(&err);

	kill_site(s);
	snprintf(key, sizeof(key), "%s/%s.key", h.dir, s->name);
	snprintf(log, sizeof(log), "%s/audit.log", s->state);
	memcpy(old, key_public(s->key), KEY_PUBLIC);
	assert_non_null(a = audit_open(log, s->key, &err));
	ok(audit_hand_over(a, key_public(next), &err), &err);
	audit_close(a);
	assert_int_equal(unlink(key), 0);
	ok(key_save(next, key, NULL, &err), &err);
	key_free(s->key);
	s->key = next;
}

static void
log_verifies(const struct site *s, const uint8_t key[KEY_PUBLIC])
{
	char log[192];
	struct err err;

	snprintf(log, sizeof(log), "%s/audit.log", s->state);
	ok(audit_verify(log, key, NULL, NULL, &err), &err);
}

/* It answers on no state that the old one may have answered on. */
static void
answers_only_on_newer_states(size_t uploads)
{
	wait_for_audit(renewed->name, "refused", "older than this site", 0);
	wait_for_audit(renewed->name, "upload", "study", uploads);
	wait_for_audit(renewed->name, "unmask", "study",
	    audit_lines(renewed->name, "unmask", "study"));
}

/* What it logs goes to the file. */
static void
start_with_log(struct site *s, const char *path)
{
	int own = dup(STDERR_FILENO),
	    log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	assert_true(own >= 0 && log >= 0);
	dup2(log, STDERR_FILENO);
	start_site(s);
	dup2(own, STDERR_FILENO);
	close(own);
	close(log);
}

/* The coordinator's word about the log of before stays good, and nobody complains
   of it. */
static void
a_checkpoint_of_the_old_identity_still_counts(void **state)
{
	char checkpoint[192], said[192];
	struct stat st;
	uint8_t old[KEY_PUBLIC];

	(void)state;
	begin();
	snprintf(
	    checkpoint, sizeof(checkpoint), "%s/db/checkpoint", renewed->state);
	control_ok(renewed->control, "checkpoint", "", NULL, 0);
	wait_until(access(checkpoint, F_OK) == 0);
	reset(renewed, old);
	snprintf(said, sizeof(said), "%s/said", h.dir);
	for (int i = 0; i < 2; i++) {
		start_with_log(renewed, said);
		control_ok(renewed->control, "status", "", NULL, 0);
		kill_site(renewed);
	}
	assert_int_equal(audit_lines(renewed->name, "lines-missing", ""), 0);
	assert_int_equal(stat(said, &st), 0);
	assert_int_equal(st.st_size, 0); /* no error, that is */
	log_verifies(renewed, old);
	start_site(renewed);
}

static void
a_site_goes_on_with_a_new_identity(void **state)
{
	uint8_t old[KEY_PUBLIC];
	size_t uploads;

	(void)state;
	begin();
	wait_for_audit(renewed->name, "unmask", "study", 0);
	reset(renewed, old);
	uploads = audit_lines(renewed->name, "upload", "study");
	/* Until the root has signed it, it is nobody. */
	start_site(renewed);
	wait_for_audit("coordinator", "sum", "study", 1);
	assert_int_equal(
	    audit_lines(renewed->name, "upload", "study"), uploads);
	assert_int_equal(audit_lines(renewed->name, "reset", ""), 1);
	submit_epoch(0);
	answers_only_on_newer_states(uploads);
	assert_int_equal(audit_lines(renewed->name, "reset", ""), 1);
	log_verifies(renewed, old);
}

/* A new identity is also the way out of a database that is a backup: nothing that
   the old one has answered is asked of it. */
static void
so_does_one_that_was_restored_from_a_backup(void **state)
{
	char count[192], text[32];
	uint8_t old[KEY_PUBLIC];
	size_t uploads;
	struct err err;

	(void)state;
	begin();
	wait_for_audit(renewed->name, "unmask", "study", 0);
	kill_site(renewed);
	snprintf(count, sizeof(count), "%s/spool/answers", renewed->state);
	snprintf(text, sizeof(text), "100 1\n");
	ok(file_write(count, text, strlen(text), 0600, &err), &err);
	start_site(renewed);
	wait_for_audit(renewed->name, "backup-found", "lost-answers=", 0);
	reset(renewed, old);
	uploads = audit_lines(renewed->name, "upload", "study");
	submit_epoch(0);
	start_site(renewed);
	answers_only_on_newer_states(uploads);
	assert_int_equal(audit_lines(renewed->name, "reset", ""), 1);
	assert_int_equal(audit_lines(renewed->name, "restored", ""), 1);
	control(renewed->control, "restored", "", NULL, 0);
	assert_int_equal(h.reply.code, ERR_REFUSED);
	log_verifies(renewed, old);
}

/* Also if nothing is left but its keys and its log. */
static void
so_does_one_that_has_lost_its_database(void **state)
{
	uint8_t old[KEY_PUBLIC];
	char command[300];
	size_t uploads;

	(void)state;
	begin();
	wait_for_audit(renewed->name, "upload", "study", 0);
	reset(renewed, old);
	uploads = audit_lines(renewed->name, "upload", "study");
	snprintf(command, sizeof(command), "rm -r %s/db/* %s/spool/*",
	    renewed->state, renewed->state);
	assert_int_equal(system(command), 0);
	submit_epoch(0);
	start_site(renewed);
	approve(renewed);
	answers_only_on_newer_states(uploads);
	log_verifies(renewed, old);
}

/*
 * The root
 */

static struct key *old_root;

static void
rotate(void)
{
	struct err err;

	old_root = h.root;
	assert_non_null(h.root = key_new(&err));
	memcpy(h.roots.first, key_public(old_root), KEY_PUBLIC);
	ok(manifest_change_root(&h.roots, "test", old_root, key_public(h.root),
	       h.opened->epoch + 1, &err),
	    &err);
}

/* Refused by the coordinator and by a gate. */
static void
nobody_takes(struct manifest *m, const struct key *by, const char *word)
{
	struct canon out = { 0 };
	struct err err;
	size_t n = audit_lines("s0", "refused", word);

	m->epoch = 99;
	ok(manifest_sign(m, by, &out, &err), &err);
	control(h.control, "submit", "", out.data, out.len);
	assert_int_equal(h.reply.code, ERR_REFUSED);
	assert_non_null(strstr(h.reply.error, word));
	tell_object(&h.sites[0], &out);
	wait_for_audit("s0", "refused", word, n);
	canon_free(&out);
}

static void
submit_study(const struct key *by, bool good)
{
	struct signed_study s = *h.sig;
	struct canon out = { 0 };
	struct err err;

	s.text = strdup(h.sig->text);
	assert_non_null(s.text);
	memcpy(strstr(s.text, "small"), "other", 5);
	ok(signed_study_sign(&s, by, &out, &err), &err);
	control(h.control, "submit", "", out.data, out.len);
	assert_int_equal(h.reply.code == ERR_NONE, good);
	canon_free(&out);
	free(s.text);
}

static void
a_root_hands_over_while_a_study_runs(void **state)
{
	struct manifest forged;
	struct err err;

	(void)state;
	begin();
	wait_for_audit("coordinator", "sum", "study", 0);
	rotate();
	submit_epoch(0);
	for (size_t i = 0; i < h.n; i++)
		wait_for_audit(h.sites[i].name, "root", "now=", 0);
	assert_int_equal(audit_lines("coordinator", "root", "now="), 1);
	/* The old one has no say, not even with a change of its own. */
	forged = *h.opened;
	forged.roots = (struct manifest_roots){ 0 };
	nobody_takes(&forged, old_root, "handed over to another");
	memcpy(forged.roots.first, key_public(old_root), KEY_PUBLIC);
	ok(manifest_change_root(&forged.roots, "test", old_root,
	       key_public(h.outsider), 2, &err),
	    &err);
	nobody_takes(&forged, h.outsider, "two that follow it");
	submit_study(old_root, false);
	submit_study(h.root, true);
	/* What the old one signed before goes on, also after a start, and where
	   the new one is pinned. */
	assert_int_equal(unlink(in_dir("root.pub")), 0);
	ok(key_public_save(key_public(h.root), in_dir("root.pub"), &err), &err);
	kill_rounds();
	start_rounds();
	for (size_t i = 0; i < h.n; i++) {
		kill_site(&h.sites[i]);
		start_site(&h.sites[i]);
	}
	finish();
	key_free(old_root);
}

/* A site that joins now pins the new root, and skips what it cannot check. */
static void
a_site_that_pins_the_new_root_begins_with_it(void **state)
{
	struct site *s = &h.sites[2];
	struct err err;

	(void)state;
	control_ok(h.control, "submit", "", h.manifest.data, h.manifest.len);
	rotate();
	kill_site(s);
	assert_int_equal(unlink(in_dir("root.pub")), 0);
	ok(key_public_save(key_public(h.root), in_dir("root.pub"), &err), &err);
	/* One that has the old root's manifest waits for the next. */
	wait_for_audit("s0", "manifest", "epoch=1", 0);
	kill_site(&h.sites[0]);
	start_site(&h.sites[0]);
	submit_epoch(0);
	start_site(s);
	wait_for_audit(s->name, "manifest", "epoch=2", 0);
	assert_int_equal(audit_lines(s->name, "manifest", "epoch=1"), 0);
	wait_for_audit("s0", "manifest", "epoch=2", 0);
	key_free(old_root);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, consortium_stop)

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		TEST(a_site_goes_on_with_a_new_identity),
		TEST(a_checkpoint_of_the_old_identity_still_counts),
		TEST(so_does_one_that_was_restored_from_a_backup),
		TEST(so_does_one_that_has_lost_its_database),
		TEST(a_root_hands_over_while_a_study_runs),
		TEST(a_site_that_pins_the_new_root_begins_with_it),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
