/*
 * The processes that consilium-local starts.  Each daemon leads a process
 * group of its own, ends when consilium-local ends, and has its standard error
 * read line by line: every line goes to its log file and to a callback, so
 * that a line is seen the moment it is written.
 *
 * One thread; procs_wait() and proc_run() are where the time passes and where
 * callbacks are called.
 */
#ifndef CTL_LOCAL_PROC_H
#define CTL_LOCAL_PROC_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct canon;
struct err;

#define PROC_LINE_MAX 4096 /* bytes; the rest of a longer line is cut off */

struct proc {
	const char *name;
	pid_t pid; /* and process group; 0: not running */
	bool exited; /* the leader has; status says how */
	int status;
	bool killed; /* by proc_kill() */
	int log_fd; /* the file; -1 before the first start */
	int pipe_fd; /* its standard error; -1: closed */
	char line[PROC_LINE_MAX];
	size_t len;
	void *arg;
};

struct procs {
	struct proc *items; /* (n), the caller's */
	size_t n;
	/* Called with each whole line, without its line end. */
	void (*on_line)(struct proc *p, const char *line);
};

/* Set when a signal asked us to stop. */
extern volatile sig_atomic_t proc_interrupted;

/* Catch SIGINT, SIGTERM and SIGHUP; adopt the orphans of what ends. */
int procs_init(struct err *err);

/* Start argv[0] (a path), its log appended to log_path. */
int proc_start(
    struct proc *p, const char *log_path, char *const argv[], struct err *err);

/*
 * Let time pass until a line, an exit or the timeout; 0, or -1 with *err if a
 * daemon that was not killed has ended by itself.
 */
int procs_wait(const struct procs *ps, int timeout_ms, struct err *err);

/*
 * Run a program to its end.  in (may be NULL) is its standard input, out (may
 * be NULL) gets its standard output.  -1 if it fails, with its last line on
 * standard error as the message.
 */
int proc_run(const struct procs *ps, char *const argv[], const char *in,
    struct canon *out, struct err *err);

/* SIGKILL all of its group and wait until none of it is left. */
void proc_kill(const struct procs *ps, struct proc *p);
/* SIGTERM all leaders; SIGKILL what is left of the groups after timeout_ms. */
void procs_stop(const struct procs *ps, int timeout_ms);

/* Add a line of our own to its log, as log_msg() would write it. */
void proc_note(struct proc *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
