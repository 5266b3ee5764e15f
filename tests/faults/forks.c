/*
 * forks FOLDER TEST [FILTER]...: run these tests of tests/rounds with a fault
 * at each place of a gate and of rounds that none of them reached before
 * (fork.h); then say what came of them.  Exit status 1 if one was answered with
 * neither going on nor a line that says why it ends.
 */
#include "tests/check.h"
#include "tests/faults/fault.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct fault *
faults_of(const char *folder, const char *name)
{
	struct fault *f;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fault_open(path);
	f->kind = FAULT_FORKS;
	f->what = PLACES_ALL;
	f->deep = 64;
	f->any_reason = true; /* a test may have it end */
	f->error = ENOSPC;
	return f;
}

/* 0; 77, if it skips itself; -1. */
static int
run(const char *test)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execl(test, test, (char *)NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -1;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		return 77;
	return status == 0 ? 0 : -1;
}

static size_t
report(const char *name, const struct fault *f)
{
	printf("%s: a fault at each of %zu places: ended and said why %zu "
	       "times, went on %zu times, neither %zu times\n",
	    name, (size_t)f->n_places, (size_t)f->n_ended, (size_t)f->n_lived,
	    (size_t)f->n_bad);
	return f->n_bad;
}

int
main(int argc, char *argv[])
{
	struct fault *gate, *rounds;
	int failed = 0;

	if (argc < 3)
		return 2;
	gate = faults_of(argv[1], "gate");
	rounds = faults_of(argv[1], "rounds");
	setenv("FAULT_FORKS", argv[1], 1);
	for (int i = 2; i < argc; i++) {
		int rv = run(argv[i]);

		if (rv != 0)
			printf("%s %s\n", argv[i],
			    rv < 0 ? "failed" : "skips itself");
		failed |= rv < 0;
	}
	return report("gate", gate) + report("rounds", rounds) > 0 || failed;
}
