#include "config.h"

#include "ctl/local_proc.h"

#include <sys/prctl.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/macros.h"

#define PROCS_MAX 1100 /* descriptors polled at once */
#define OUTPUT_MAX ((size_t)64 << 20) /* bytes of a program's output */

volatile sig_atomic_t proc_interrupted;

static pid_t run_pid; /* proc_run()'s child */
static int run_status;
static bool run_exited;

static void
on_signal(int sig)
{
	(void)sig;
	proc_interrupted = 1;
}

int
procs_init(struct err *err)
{
	static const int stop[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction sa = { .sa_handler = on_signal };

	for (size_t i = 0; i < nitems(stop); i++)
		if (sigaction(stop[i], &sa, NULL) < 0)
			return err_sys(err, "sigaction");
	sa.sa_handler = SIG_IGN;
	if (sigaction(SIGPIPE, &sa, NULL) < 0)
		return err_sys(err, "sigaction");
	/* What a killed daemon leaves behind is ours to wait for. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return err_sys(err, "prctl");
	/* The daemons log to us, not to a journal that started us. */
	unsetenv("NOTIFY_SOCKET");
	unsetenv("JOURNAL_STREAM");
	unsetenv("CONSILIUM_JOURNAL_FD");
	return 0;
}

/* In the child: in, out and errout become 0 to 2, and argv[0] runs. */
static void __attribute__((noreturn))
become(char *const argv[], int in, int out, int errout, pid_t parent)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };

	sigaction(SIGPIPE, &sa, NULL);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	if (dup2(in, 0) >= 0 && dup2(out, 1) >= 0 && dup2(errout, 2) >= 0)
		execv(argv[0], argv);
	dprintf(2, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* Look after everybody who has ended, whosever child it was. */
static void
reap(const struct procs *ps)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == run_pid) {
			run_exited = true;
			run_status = status;
		}
		for (size_t i = 0; i < ps->n; i++)
			if (ps->items[i].pid == pid) {
				ps->items[i].exited = true;
				ps->items[i].status = status;
			}
	}
}

static void
put_line(const struct procs *ps, struct proc *p, bool show)
{
	p->line[p->len] = '\n';
	file_write_all(p->log_fd, p->line, p->len + 1);
	p->line[p->len] = '\0';
	p->len = 0;
	if (show && ps->on_line != NULL)
		ps->on_line(p, p->line);
}

/* What has come through the pipe; closes it at its end. */
static void
read_pipe(const struct procs *ps, struct proc *p, bool show)
{
	char buf[4096];
	ssize_t n;

	while (p->pipe_fd >= 0) {
		n = read(p->pipe_fd, buf, sizeof(buf));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			close(p->pipe_fd);
			p->pipe_fd = -1;
			if (p->len > 0)
				put_line(ps, p, show);
			return;
		}
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] == '\n')
				put_line(ps, p, show);
			else if (p->len < sizeof(p->line) - 1)
				p->line[p->len++] = buf[i];
		}
	}
}

int
proc_start(
    struct proc *p, const char *log_path, char *const argv[], struct err *err)
{
	static const struct procs nobody;
	pid_t me = getpid();
	int fds[2], null;

	read_pipe(&nobody, p, false); /* what the last one left */
	if (p->log_fd < 0 &&
	    (p->log_fd = open(log_path,
		 O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) < 0)
		return err_sys(err, "open %s", log_path);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, "pipe");
	if ((null = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0) {
		close(fds[0]);
		close(fds[1]);
		return err_sys(err, "open /dev/null");
	}
	p->exited = p->killed = false;
	p->len = 0;
	if ((p->pid = fork()) == 0)
		become(argv, null, null, fds[1], me);
	close(null);
	close(fds[1]);
	if (p->pid < 0) {
		p->pid = 0;
		close(fds[0]);
		return err_sys(err, "fork");
	}
	setpgid(p->pid, p->pid); /* whoever of the two comes first */
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	p->pipe_fd = fds[0];
	return 0;
}

/* Wait for the pipes of all daemons and up to two more descriptors. */
static void
wait_for(const struct procs *ps, int timeout_ms, int fd1, int fd2)
{
	struct pollfd fds[PROCS_MAX + 2];
	nfds_t n = 0;

	for (size_t i = 0; i < ps->n && n < PROCS_MAX; i++)
		fds[n++] = (struct pollfd){ ps->items[i].pipe_fd, POLLIN, 0 };
	fds[n++] = (struct pollfd){ fd1, POLLIN, 0 };
	fds[n++] = (struct pollfd){ fd2, POLLIN, 0 };
	poll(fds, n, timeout_ms);
	for (size_t i = 0; i < ps->n; i++)
		read_pipe(ps, &ps->items[i], true);
	reap(ps);
}

static int
check_alive(const struct procs *ps, struct err *err)
{
	for (size_t i = 0; i < ps->n; i++) {
		struct proc *p = &ps->items[i];

		if (p->pid == 0 || !p->exited || p->killed)
			continue;
		read_pipe(ps, p, true);
		if (WIFSIGNALED(p->status))
			return err_set(err, ERR_PEER,
			    "%s was ended by signal %d; last: %s", p->name,
			    WTERMSIG(p->status), p->line);
		return err_set(err, ERR_PEER,
		    "%s ended with status %d; last: %s", p->name,
		    WEXITSTATUS(p->status), p->line);
	}
	return 0;
}

int
procs_wait(const struct procs *ps, int timeout_ms, struct err *err)
{
	wait_for(ps, timeout_ms, -1, -1);
	return check_alive(ps, err);
}

/*
 * Programs that run to their end
 */

static int
collect(int *fd, struct canon *out, size_t max)
{
	uint8_t buf[65536];
	ssize_t n;

	while (*fd >= 0) {
		n = read(*fd, buf, sizeof(buf));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n <= 0) {
			close(*fd);
			*fd = -1;
			return 0;
		}
		if (out->len + (size_t)n > max)
			return -1;
		canon_raw(out, buf, (size_t)n);
	}
	return 0;
}

/* The last line of what a program said, without its own name before it. */
static void
last_line(const struct canon *said, const char *program, char *buf, size_t size)
{
	const char *slash = strrchr(program, '/');
	size_t end = said->len, start, n;

	while (end > 0 && said->data[end - 1] == '\n')
		end--;
	for (start = end; start > 0 && said->data[start - 1] != '\n';)
		start--;
	snprintf(buf, size, "%.*s", (int)MIN(end - start, size - 1),
	    said->data == NULL ? "" : (const char *)said->data + start);
	program = slash == NULL ? program : slash + 1;
	n = strlen(program);
	if (strncmp(buf, program, n) == 0 && strncmp(buf + n, ": ", 2) == 0)
		memmove(buf, buf + n + 2, strlen(buf + n + 2) + 1);
}

static int
run_result(char *const argv[], const struct canon *said, struct err *err)
{
	char line[400];

	if (proc_interrupted)
		return err_set(err, ERR_SYSTEM, "interrupted");
	if (WIFEXITED(run_status) && WEXITSTATUS(run_status) == 0)
		return 0;
	last_line(said, argv[0], line, sizeof(line));
	if (line[0] != '\0')
		return err_set(err, ERR_CONFIG, "%s", line);
	return err_set(err, ERR_SYSTEM, "%s failed with status %d", argv[0],
	    WIFEXITED(run_status) ? WEXITSTATUS(run_status) : -1);
}

int
proc_run(const struct procs *ps, char *const argv[], const char *in,
    struct canon *out, struct err *err)
{
	int to[2] = { -1, -1 }, from[2] = { -1, -1 }, bad[2] = { -1, -1 };
	struct canon said = { 0 }, unwanted = { 0 };
	pid_t me = getpid();
	int rv = -1;

	if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0 ||
	    pipe2(bad, O_CLOEXEC) < 0) {
		err_sys(err, "pipe");
		goto out;
	}
	run_exited = false;
	if ((run_pid = fork()) == 0)
		become(argv, to[0], from[1], bad[1], me);
	if (run_pid < 0) {
		run_pid = 0;
		err_sys(err, "fork");
		goto out;
	}
	close(to[0]);
	close(from[1]);
	close(bad[1]);
	to[0] = from[1] = bad[1] = -1;
	fcntl(from[0], F_SETFL, O_NONBLOCK);
	fcntl(bad[0], F_SETFL, O_NONBLOCK);
	if (in != NULL)
		file_write_all(to[1], in, strlen(in));
	close(to[1]);
	to[1] = -1;
	while (!run_exited || from[0] >= 0 || bad[0] >= 0) {
		wait_for(ps, 100, from[0], bad[0]);
		if (collect(&from[0], out == NULL ? &unwanted : out,
			OUTPUT_MAX) < 0 ||
		    collect(&bad[0], &said, OUTPUT_MAX) < 0 || proc_interrupted)
			kill(-run_pid, SIGKILL);
		if (run_exited && kill(-run_pid, 0) < 0 && errno == ESRCH) {
			collect(&from[0], out == NULL ? &unwanted : out,
			    OUTPUT_MAX);
			collect(&bad[0], &said, OUTPUT_MAX);
			break;
		}
	}
	run_pid = 0;
	rv = run_result(argv, &said, err);
out:
	for (size_t i = 0; i < 2; i++) {
		if (to[i] >= 0)
			close(to[i]);
		if (from[i] >= 0)
			close(from[i]);
		if (bad[i] >= 0)
			close(bad[i]);
	}
	canon_free(&said);
	canon_free(&unwanted);
	return rv;
}

/*
 * The end
 */

static bool
group_gone(const struct procs *ps, const struct proc *p)
{
	reap(ps);
	return kill(-p->pid, 0) < 0 && errno == ESRCH;
}

static void
pause_ms(long ms)
{
	nanosleep(&(struct timespec){ 0, ms * 1000000 }, NULL);
}

void
proc_kill(const struct procs *ps, struct proc *p)
{
	if (p->pid == 0)
		return;
	p->killed = true;
	kill(-p->pid, SIGKILL);
	while (!group_gone(ps, p))
		pause_ms(1);
}

void
procs_stop(const struct procs *ps, int timeout_ms)
{
	int64_t until = clock_mono_ms() + timeout_ms;
	bool some = true;

	for (size_t i = 0; i < ps->n; i++) {
		struct proc *p = &ps->items[i];

		if (p->pid != 0 && !p->exited && !p->killed)
			kill(p->pid, SIGTERM);
		p->killed = true; /* its end is no surprise any more */
	}
	while (some && clock_mono_ms() < until) {
		some = false;
		wait_for(ps, 20, -1, -1);
		for (size_t i = 0; i < ps->n; i++)
			if (ps->items[i].pid != 0 &&
			    !group_gone(ps, &ps->items[i]))
				some = true;
	}
	for (size_t i = 0; i < ps->n; i++) {
		struct proc *p = &ps->items[i];

		if (p->pid != 0)
			proc_kill(ps, p);
		read_pipe(ps, p, false);
		if (p->log_fd >= 0)
			close(p->log_fd);
		p->log_fd = -1;
		p->pid = 0;
	}
}

void
proc_note(struct proc *p, const char *fmt, ...)
{
	char text[1024], when[32];
	struct timespec now;
	struct tm tm;
	va_list ap;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	dprintf(p->log_fd, "%s.%03ldZ consilium-local info: %s\n", when,
	    now.tv_nsec / 1000000, text);
}
