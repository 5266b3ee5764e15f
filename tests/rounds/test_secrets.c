/*
 * Where a gate's secrets lie while a round is open.  Nobody gets a core dump of
 * it, nor reads its memory without the right to trace anybody.  And who has
 * that right (root, as which this test must run to look) finds each secret only
 * in memory that is locked and left out of dumps, so that neither swap nor a
 * forced dump has it.
 */
#include "config.h"

#include "tests/check.h"
#include "tests/rounds/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/err.h"
#include "common/file.h"
#include "common/macros.h"
#include "crypto/round_site_state.h"
#include "crypto/vault.h"
#include "daemon/store.h"

static enum round_type stop_at;
static bool stopped;

/* The first site is not told more than that. */
static enum fate
hold(struct site *s, enum round_type type, struct canon *msg)
{
	(void)msg;
	if (s != &h.sites[0] || type != stop_at)
		return PASS;
	stopped = true;
	return LOSE;
}

static int
setup(void **state)
{
	(void)state;
	return consortium_start((struct options){
	    .n = 3, .cohort = "fixed", .ready_wait_s = 60, .deadline_s = 60 });
}

static void
run_until(enum round_type type)
{
	stop_at = type;
	stopped = false;
	h.to_site = hold;
	begin();
	while (!stopped)
		pump(20);
}

/*
 * What is secret
 */

struct secret {
	const char *name;
	uint8_t bytes[32];
};

static struct secret secrets[64];
static size_t n_secrets;

static void
add(const char *name, const uint8_t bytes[32])
{
	if (sodium_is_zero(bytes, 32))
		return;
	assert_true(n_secrets < nitems(secrets));
	secrets[n_secrets].name = name;
	memcpy(secrets[n_secrets++].bytes, bytes, 32);
}

/* From a copy of the database, opened with the site's real key. */
static void
learn(const struct site *s)
{
	struct canon body = { 0 };
	struct site_round *r;
	struct store *store;
	uint8_t vault[VAULT_KEY];
	char path[192];
	struct err err;
	uint8_t *p;
	size_t len;

	snprintf(path, sizeof(path), "%s/db/gate.db", s->state);
	assert_non_null(p = file_read(path, 1 << 24, &len, &err));
	ok(file_write(in_dir("copy.db"), p, len, 0600, &err), &err);
	free(p);
	n_secrets = 0;
	add("the identity key", key_secret(s->key));
	vault_key(s->key, vault);
	add("the key of the store", vault);
	store = store_open(in_dir("copy.db"), s->key, &err);
	assert_non_null(store);
	assert_int_equal(store_get_round(store, 1, 1, &body, &err), 1);
	r = site_round_load(body.data, body.len, &err);
	assert_non_null(r);
	assert_non_null(r->x);
	add("the round's prekey", r->x->key);
	add("the round's seed", r->x->seed);
	for (size_t i = 0; i < 3; i++) {
		add("a share of a prekey", r->x->f[i]);
		add("a share of a seed", r->x->g[i]);
	}
	site_round_free(r);
	canon_free(&body);
	store_close(store);
}

/*
 * Where it is
 */

/* The secrets in n bytes of the process from start on; may fail on what cannot
   be read (guard pages). */
static size_t
look(int mem, uint64_t start, size_t n, bool safe, const char *what)
{
	uint8_t *p = malloc(n);
	size_t found = 0;

	assert_non_null(p);
	if (pread(mem, p, n, (off_t)start) != (ssize_t)n) {
		free(p);
		return 0;
	}
	for (size_t i = 0; i < n_secrets; i++) {
		if (memmem(p, n, secrets[i].bytes, 32) == NULL)
			continue;
		found++;
		if (!safe)
			fail_msg("%s lies in memory that a dump would have: %s",
			    secrets[i].name, what);
	}
	free(p);
	return found;
}

/* All memory, part by part, with what smaps says of each. */
static size_t
scan(pid_t pid)
{
	char path[64], line[512], what[256] = "";
	unsigned long long start = 0, end = 0, from, to;
	size_t found = 0;
	FILE *maps;
	int mem;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(mem >= 0);
	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
	assert_non_null(maps = fopen(path, "re"));
	while (fgets(line, sizeof(line), maps) != NULL) {
		if (sscanf(line, "%llx-%llx ", &from, &to) == 2) {
			start = from;
			end = to;
			snprintf(what, sizeof(what), "%.200s", line);
		} else if (strncmp(line, "VmFlags:", 8) == 0 &&
		    end - start < (1u << 30)) {
			found += look(mem, start, (size_t)(end - start),
			    strstr(line, " lo") != NULL &&
				strstr(line, " dd") != NULL,
			    what);
		}
	}
	fclose(maps);
	close(mem);
	return found;
}

static void
secrets_lie_in_locked_memory_that_no_dump_has(void **state)
{
	static const enum round_type at[] = { ROUND_SHARESET, ROUND_LIST,
		ROUND_CERTIFICATE };
	struct site *s = &h.sites[0];

	(void)state;
	if (geteuid() != 0) {
		print_message("needs root to read a process's memory\n");
		skip();
	}
	for (size_t i = 0; i < nitems(at); i++) {
		size_t found;

		if (i != 0)
			assert_int_equal(setup(NULL), 0);
		run_until(at[i]);
		learn(s);
		found = scan(s->pid);
		print_message("before the %s: %zu secrets, found %zu times, "
			      "all in locked memory\n",
		    round_type_name(at[i]), n_secrets, found);
		/* The scan sees them: else it would prove nothing. */
		assert_true(found >= n_secrets - 2);
		if (i + 1 != nitems(at))
			consortium_stop(NULL);
	}
}

/* To be no more than the same user; a process may read one that is no more. */
static void
drop_privileges(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3,
		0 };
	struct __user_cap_data_struct none[2] = { { 0 } };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (syscall(SYS_capset, &head, none) < 0 ||
	    prctl(PR_SET_DUMPABLE, 1) < 0)
		_exit(99);
}

/* Read a byte of another process; 0 or errno. */
static int
read_without_privileges(pid_t pid, const void *at)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		uint8_t byte;
		struct iovec to = { &byte, 1 };
		struct iovec from = { (void *)(uintptr_t)at, 1 };

		drop_privileges();
		_exit(process_vm_readv(pid, &to, 1, &from, 1, 0) == 1 ? 0
								      : errno);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
a_gate_is_not_dumped_and_not_read(void **state)
{
	struct site *s = &h.sites[0];
	static const char here[] = "here";
	pid_t other, gate;
	char path[160], byte;
	int status, ready[2];

	(void)state;
	run_until(ROUND_LIST);
	/* A process like any other can be read, so the attempt is a good one.
	   (The same program: what is here is there.) */
	assert_int_equal(pipe(ready), 0);
	if ((other = fork()) == 0) {
		drop_privileges();
		close(ready[1]);
		close(ready[0]);
		pause();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 0); /* it has dropped them */
	close(ready[0]);
	assert_int_equal(read_without_privileges(other, here), 0);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	/* PR_SET_DUMPABLE 0, seen from outside. */
	assert_int_equal(read_without_privileges(s->pid, here), EPERM);
	/* A crash leaves no core. */
	gate = s->pid;
	kill(gate, SIGSEGV);
	assert_int_equal(waitpid(gate, &status, 0), gate);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
	assert_false(WCOREDUMP(status));
	snprintf(path, sizeof(path), "core.%d", (int)gate);
	assert_int_equal(access(path, F_OK), -1);
	s->pid = 0;
	chan_free(s->parent);
	chan_free(s->uplink);
	chan_free(s->control);
	s->parent = s->uplink = s->control = NULL;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, consortium_stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(secrets_lie_in_locked_memory_that_no_dump_has),
		TEST(a_gate_is_not_dumped_and_not_read),
	};

#if defined(CONSILIUM_SANITIZE) || defined(CONSILIUM_COVERAGE)
	return 77; /* these runtimes are dumpable, and keep copies */
#endif
	return cmocka_run_group_tests(tests, NULL, NULL);
}
