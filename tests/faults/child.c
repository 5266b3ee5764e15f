#include "config.h"

#include "tests/faults/child.h"

#include "tests/check.h"

#include <sys/stat.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/err.h"
#include "common/file.h"
#include "privsep/lock.h"
#include "privsep/spawn.h"

static char dir[64];

int
child_set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	snprintf(dir, sizeof(dir), "/tmp/consilium-faults-XXXXXX");
	return mkdtemp(dir) == NULL ? -1 : mkdir(in_dir("state"), 0700);
}

int
child_tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

const char *
in_dir(const char *name)
{
	static char path[4][128];
	static unsigned i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

pid_t
child_start(enum proc proc, bool faulty, int log_priority, enum proc peer,
    struct chan **parent, struct chan **channel)
{
	const char *build = getenv("builddir");
	uint8_t peer_byte = (uint8_t)peer;
	char libexec[4096];
	struct err err;
	int ends[2], own, out;
	pid_t pid;

	snprintf(libexec, sizeof(libexec), "%s%s:%s/daemon:%s/coordinator",
	    build, faulty ? "/tests/faults" : "/board", build, build);
	setenv("CONSILIUM_LIBEXEC", libexec, 1);
	setenv(LOCK_STATE_ENV, in_dir("state"), 1);
	own = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	out = open(
	    in_dir("log"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	dup2(out, STDERR_FILENO);
	pid = spawn(proc, log_priority, parent, &err);
	dup2(own, STDERR_FILENO);
	close(own);
	close(out);
	assert_true(pid > 0);
	assert_int_equal(chan_pair(ends, &err), 0);
	assert_non_null(*channel = chan_new(ends[0], proc, &err));
	chan_send(*parent, MSG_PEER, 0, &peer_byte, 1, ends[1], &err);
	close(ends[1]);
	return pid;
}

bool
child_is_due(const char *text, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strstr(text, words[i]) != NULL)
			return true;
	}
	return false;
}

size_t
child_said(const char *const *words, size_t n, const char *after)
{
	size_t lines = 0, len;
	struct err err;
	char *text = (char *)file_read(in_dir("log"), 1 << 20, &len, &err);
	char *line, *rest = text;

	while (text != NULL && (line = strsep(&rest, "\n")) != NULL &&
	    *line != '\0') {
		if (!child_is_due(line, words, n) ||
		    strstr(line, " error: ") == NULL)
			fail_msg("after %s it said: %s", after, line);
		lines++;
	}
	free(text);
	unlink(in_dir("log"));
	return lines;
}
