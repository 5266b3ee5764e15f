#include "config.h"

#include "privsep/spawn.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/macros.h"
#include "privsep/lock.h"

#define LIBEXEC_ENV "CONSILIUM_LIBEXEC"
#define ENV_MAX 32

/* What a child's environment takes over, beside what is made for it. */
static const char *const env_kept[] = {
	"TZ",
	"JOURNAL_STREAM",
	"CONSILIUM_SECCOMP",
	LOG_SITE_ENV,
	LOCK_STATE_ENV,
	LOCK_PORT_ENV,
	/* for the runtimes of sanitizers and coverage */
	"ASAN_OPTIONS",
	"LSAN_OPTIONS",
	"UBSAN_OPTIONS",
	"TSAN_OPTIONS",
	"GCOV_PREFIX",
	"GCOV_PREFIX_STRIP",
};

int
spawn_find(enum proc proc, char *path, size_t size, struct err *err)
{
	const char *dirs = getenv(LIBEXEC_ENV), *p;

	if (dirs == NULL || *dirs == '\0')
		dirs = PKGLIBEXECDIR;
	for (p = dirs; *p != '\0'; p += strspn(p, ":")) {
		int len = (int)strcspn(p, ":");

		if (snprintf(path, size, "%.*s/%s", len, p, proc_name(proc)) <
			(int)size &&
		    access(path, X_OK) == 0)
			return 0;
		p += len;
	}
	return err_set(
	    err, ERR_CONFIG, "no executable %s in %s", proc_name(proc), dirs);
}

struct environment {
	char *vars[ENV_MAX];
	size_t n;
};

static int
env_add(struct environment *e, const char *name, const char *value)
{
	assert(e->n < ENV_MAX - 1);
	if (asprintf(&e->vars[e->n], "%s=%s", name, value) < 0)
		return -1;
	e->n++;
	return 0;
}

static void
env_free(struct environment *e)
{
	while (e->n > 0)
		free(e->vars[--e->n]);
}

static int
env_make(struct environment *e, int log_priority, struct err *err)
{
	char number[16];
	int rc = env_add(e, "LANG", "C.UTF-8");

	/* A threaded OpenBLAS starts its threads before main(). */
	rc |= env_add(e, "OPENBLAS_NUM_THREADS", "1");

	snprintf(number, sizeof(number), "%d", log_priority);
	rc |= env_add(e, SPAWN_LOG_ENV, number);
	snprintf(number, sizeof(number), "%d", SPAWN_JOURNAL_FD);
	if (log_journal_fd() >= 0)
		rc |= env_add(e, "CONSILIUM_JOURNAL_FD", number);
	for (size_t i = 0; i < nitems(env_kept); i++) {
		const char *value = getenv(env_kept[i]);

		if (value != NULL)
			rc |= env_add(e, env_kept[i], value);
	}
	return rc < 0 ? err_set(err, ERR_SYSTEM, "environment: no memory") : 0;
}

/* In the child, up to exec: only what is safe after fork. */
_Noreturn static void
become(const char *path, int chan, pid_t parent, char *const env[])
{
	char *argv[] = { NULL, NULL };
	struct rlimit none = { 0, 0 };
	int journal = log_journal_fd(), last = SPAWN_CHANNEL_FD;
	sigset_t all;

	memcpy(&argv[0], &path, sizeof(path));
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it died before the line above */
		_exit(1);
	/* Out of the way of the places, whatever numbers they had; there they
	   stay open over exec. */
	chan = fcntl(chan, F_DUPFD, SPAWN_JOURNAL_FD + 1);
	if (journal >= 0)
		journal = fcntl(journal, F_DUPFD, SPAWN_JOURNAL_FD + 1);
	if (chan < 0 || dup2(chan, SPAWN_CHANNEL_FD) < 0)
		_exit(126);
	if (journal >= 0 && dup2(journal, SPAWN_JOURNAL_FD) >= 0)
		last = SPAWN_JOURNAL_FD;
	close_range((unsigned)last + 1, ~0U, 0);
	setrlimit(RLIMIT_CORE, &none);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	umask(077);
	execve(path, argv, env);
	_exit(127);
}

pid_t
spawn(enum proc proc, int log_priority, struct chan **chan, struct err *err)
{
	struct environment env = { 0 };
	char path[4096];
	int ends[2] = { -1, -1 };
	pid_t pid = -1, self = getpid();

	*chan = NULL;
	if (spawn_find(proc, path, sizeof(path), err) < 0 ||
	    env_make(&env, log_priority, err) < 0 || chan_pair(ends, err) < 0)
		goto out;
	if ((pid = fork()) < 0) {
		err_sys(err, "fork for %s", proc_name(proc));
		goto out;
	}
	if (pid == 0)
		become(path, ends[1], self, env.vars);
	*chan = chan_new(ends[0], proc, err);
	ends[0] = -1;
	if (*chan == NULL) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		pid = -1;
	}
out:
	for (size_t i = 0; i < nitems(ends); i++) {
		if (ends[i] >= 0)
			close(ends[i]);
	}
	env_free(&env);
	return pid;
}

void
spawn_how(int wstatus, char *buf, size_t size)
{
	if (WIFEXITED(wstatus) && WEXITSTATUS(wstatus) == 127)
		snprintf(buf, size, "could not be executed");
	else if (WIFEXITED(wstatus))
		snprintf(
		    buf, size, "exited with status %d", WEXITSTATUS(wstatus));
	else if (WIFSIGNALED(wstatus) && WTERMSIG(wstatus) == SIGSYS)
		snprintf(buf, size,
		    "was killed by SIGSYS: it made a system call that is not "
		    "in its list");
	else if (WIFSIGNALED(wstatus))
		snprintf(buf, size, "was killed by SIG%s",
		    sigabbrev_np(WTERMSIG(wstatus)) != NULL
			? sigabbrev_np(WTERMSIG(wstatus))
			: "?");
	else
		snprintf(buf, size, "ended with wait status %d", wstatus);
}
