/*
 * A daemon's processes, seen from their parent: a set of residents that lives
 * and dies together, and jobs that come and go.
 *
 * If a resident ends unasked, the others are stopped and all are started
 * afresh, later each time; after FAMILY_DEATHS within FAMILY_MINUTE_MS the
 * parent gives up.  One that ends before the family was ready for the first
 * time ends the parent too: what is wrong is in the configuration, and the
 * child has said it.
 *
 * SIGTERM and SIGINT stop the family, SIGHUP has the plan's reload() called.
 * systemd, if there is one, hears READY, STATUS, RELOADING and STOPPING, and
 * its watchdog is fed only when every resident has answered the last PING.
 *
 * The parent reads nothing but numbers and names from its children, and
 * those by a closed table.
 */
#ifndef PRIVSEP_FAMILY_H
#define PRIVSEP_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "privsep/chan.h"

struct err;
struct family;

#define FAMILY_DEATHS 5
#define FAMILY_MINUTE_MS 60000
#define FAMILY_RESIDENTS_MAX 6
#define FAMILY_JOBS_MAX 16

struct family_plan {
	enum proc residents[FAMILY_RESIDENTS_MAX]; /* ends with PROC_NONE */
	/* Who has a channel to whom. */
	struct family_wire {
		enum proc a, b;
	} wires[FAMILY_RESIDENTS_MAX];
	/* What residents may ask for, beside READY, PONG and STATUS; the
	   handlers get self. */
	const struct handler *orders;
	size_t n_orders;
	/* Hand p its files, then its configuration (family_give_...). */
	int (*equip)(void *self, enum proc p, struct chan *to, struct err *err);
	/* SIGHUP: check what equip() would hand over now.  Then the residents
	   of reloads are equipped again. */
	int (*reload)(void *self, struct err *err);
	enum proc reloads; /* who takes new certificates, or PROC_NONE */
	/* Once a day, for what expires.  It logs. */
	void (*daily)(void *self);
	/* Once a minute while all run, for what changes by itself. */
	int (*minutely)(void *self, struct err *err);
	/* A job has ended.  how is a sentence's end for the log. */
	int (*job_gone)(void *self, uint64_t tag, bool ok, const char *how,
	    struct err *err);
};

/* One more resident, and its wire to another. */
void family_add(struct family_plan *plan, enum proc p, enum proc to);

/* plan and self must outlive it.  log_priority is for the children's logs. */
struct family *family_new(const struct family_plan *plan, void *self,
    int log_priority, struct err *err);
void family_free(struct family *f); /* kills who still lives */

/* Run until a signal ends it; the parent's exit status. */
int family_run(struct family *f);

/* How often all residents were started afresh. */
unsigned family_restarts(const struct family *f);

/* The channel to a resident, or NULL while it is not there. */
struct chan *family_chan(struct family *f, enum proc p);

/* Hand over an open file; fd stays the caller's. */
int family_give_file(
    struct chan *to, const char *name, int fd, struct err *err);

/* What a process is told: the end of its equipment. */
struct family_fact {
	const char *name, *value;
};
int family_give_config(struct chan *to, const char *path, const void *text,
    size_t len, const struct family_fact *facts, size_t n, struct err *err);

/*
 * Start a job that has a channel to master.  Returns the channel to it, which
 * the caller equips, or NULL; *peer is the master's end of the other one, for
 * the caller to hand on and close.  When it ends, job_gone() is called with
 * tag.  family_end_job() kills one that could not be equipped; job_gone() is
 * not called for it.
 */
struct chan *family_start_job(struct family *f, enum proc proc,
    enum proc master, uint64_t tag, int *peer, struct err *err);
void family_end_job(struct family *f, uint64_t tag);

#endif
