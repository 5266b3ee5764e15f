/*
 * The beginning of a process, its own side.  It was started with standard
 * error, the journal's socket and one channel, that to its parent.  All else
 * is handed over on that channel: open files by name (keys, a table, a
 * listening socket), channels to other processes, and last MSG_CONFIG.
 *
 * child_start() locks the process in (privsep/lock.h) before it receives its
 * first byte.  See README.md for what a main() looks like.
 */
#ifndef PRIVSEP_START_H
#define PRIVSEP_START_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "privsep/chan.h"

struct err;

#define CHILD_FILES_MAX 16
#define CHILD_PEERS_MAX 4
#define CHILD_FACTS_MAX 16
#define CHILD_NAME 64 /* of a file or fact, with its NUL */
#define CHILD_CONFIG_MAX ((size_t)1024 * 1024)

struct child {
	enum proc proc;
	struct chan *parent;
	struct chan *peers[CHILD_PEERS_MAX];
	size_t n_peers;
	struct child_file {
		char name[CHILD_NAME];
		int fd;
	} files[CHILD_FILES_MAX];
	size_t n_files;
	/* What MSG_CONFIG held: text path, bytes config, u32 n, n times (text
	   name, bytes value). */
	char config_path[1024]; /* for errors */
	char *
	    config; /* the configuration file, for who may see it; with a NUL */
	size_t config_len;
	struct child_fact {
		char name[CHILD_NAME];
		char *value;
	} facts[CHILD_FACTS_MAX]; /* that the parent found out */
	size_t n_facts;
};

/*
 * Open the log, lock in, receive everything up to MSG_CONFIG.  Start from all
 * zeros.  Signals: SIGPIPE, SIGINT, SIGTERM and SIGHUP are ignored (the parent
 * sends STOP).
 */
int child_start(struct child *c, enum proc proc, struct err *err);
void child_free(struct child *c); /* closes all that it still has */

/* The channel to a process, or NULL.  It stays the child's. */
struct chan *child_peer(const struct child *c, enum proc peer);
/* A descriptor by name ("identity.key"), or -1.  It stays the child's. */
int child_fd(const struct child *c, const char *name);
/* A fact by name, or NULL. */
const char *child_fact(const struct child *c, const char *name);

/* "I am ready", with a line for the log or "". */
int child_ready(struct child *c, const char *text, struct err *err);
/* What it is busy with, for systemctl status. */
int child_status(struct child *c, const char *text, struct err *err);

/*
 * For a loop of one's own: deal with a message of the parent's if it is one
 * that every process knows.  loop_run() calls this itself.
 */
enum child_msg {
	CHILD_MSG_OTHER, /* not one of these: yours */
	CHILD_MSG_DONE, /* PING, answered */
	CHILD_MSG_STOP, /* finish, and exit 0 */
	CHILD_MSG_FAILED,
};
enum child_msg child_msg(
    struct chan *parent, const struct msg *m, struct err *err);

/*
 * Handlers for who can take new certificates while running: put both into
 * the table with FILE of 1 to 68 and CONFIG of 8 to CHILD_CONFIG_MAX bytes.
 * A file of the same name replaces the one that was there; after CONFIG all
 * are complete.
 */
int child_take_file(struct child *c, struct msg *m, struct err *err);
int child_take_config(struct child *c, struct msg *m, struct err *err);

#endif
