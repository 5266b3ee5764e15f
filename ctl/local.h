/*
 * What the parts of consilium-local share: a whole consortium in one folder.
 *
 *     DIR/root/                    the root's keys, members, signed files
 *     DIR/officer/                 a test officer's key
 *     DIR/coordinator/             keys, state, configuration, log
 *     DIR/sites/NAME/              the same for each site, and its report
 *     DIR/run/                     control sockets
 *     DIR/result.json, result.txt
 *
 * local_setup.c makes it, local_run.c takes the study through it, and
 * local_check.c holds the result against rows put together.
 */
#ifndef CTL_LOCAL_H
#define CTL_LOCAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl/local_proc.h"

struct err;
struct study;

#define LOCAL_SITES_MAX 128
#define LOCAL_BAR 1e-9 /* max |federated - pooled| / se */

struct local_site {
	const char *name;
	const char *csv; /* absolute */
	const char *dir, *conf, *socket;
	struct proc *proc;
};

enum local_kill_state {
	KILL_NONE, /* not asked for */
	KILL_WAITING, /* for the message to leave */
	KILL_DONE, /* the site is down; its round is not complete yet */
	KILL_RESTARTED, /* the site is up again */
	KILL_BACK, /* and has taken part in a later round */
};

struct local {
	const char *out; /* DIR, absolute */
	const char *study_path;
	struct study *study;
	const char *run; /* where the sockets are */
	bool run_is_temporary;
	bool keep_running, terminal;

	/* Programs, absolute. */
	const char *ctl, *coordinatord, *sited;

	struct procs procs; /* the coordinator, then the sites */
	struct local_site *sites; /* (n_sites) */
	size_t n_sites;
	const char *officer_key; /* public, hexadecimal */
	const char *coordinator_socket;
	char address[128]; /* host:port that the coordinator listens on */

	const char *language; /* of the reports; NULL: English */
	/* --kill SITE@PHASE[:ROUND] */
	enum local_kill_state kill;
	struct local_site *kill_site;
	const char *kill_phase;
	uint64_t kill_round; /* 0: the first Newton round; then that round */

	/* What the coordinator's log has said. */
	uint64_t round, completed, aborted;
	char kind[24], phases[128];
	size_t contributors; /* of the round that completed last */
	bool counted; /* the killed site's input is in its round's sum */
	bool line_open; /* a status line stands on the terminal */

	void **memory; /* what local_text() has given out */
	size_t n_memory;
};

/* Text that lives as long as l; ends the program when memory does. */
char *local_text(struct local *l, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* A line for the user, above the status line if there is one. */
void local_say(struct local *l, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Run consiliumctl with the arguments up to a NULL; see proc_run(). */
struct canon;
int local_ctl(struct local *l, struct canon *out, struct err *err, ...)
    __attribute__((sentinel));

/* Find the programs; make the root, all members' keys and configurations. */
int local_setup(struct local *l, struct err *err);

/* A site's configuration, once the coordinator's address is known. */
int local_configure_site(
    struct local *l, struct local_site *s, struct err *err);

/* Start everything, and take the study to its result. */
int local_run(struct local *l, struct err *err);

/*
 * Print the result, what anonymization cost, and as the last line how far the
 * result is from rows put together; -1 if that is beyond LOCAL_BAR.
 */
int local_check(struct local *l, struct err *err);

#endif
