/*
 * A consortium for tests: the real gates and the real rounds, started as in
 * production.  The test is everything between them: parent, uplink, listener,
 * control and trainer.  So it sees every message, can alter or lose any, can
 * bring messages of its own, made with anybody's real key, and can kill
 * anybody at any of them.
 *
 * Whatever a test does, a gate that gives two answers to one question fails
 * it: each answer is kept by the digest of its question.
 */
#ifndef TESTS_ROUNDS_HARNESS_H
#define TESTS_ROUNDS_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/canon.h"
#include "common/clock.h"
#include "crypto/approval.h"
#include "crypto/context.h"
#include "crypto/keyfile.h"
#include "crypto/round.h"
#include "crypto/signed_study.h"
#include "model/spec.h"
#include "privsep/chan.h"
#include "privsep/ctl_msg.h"

#define SITES_MAX 6
#define ROWS 40 /* at each */
#define TIMEOUT_MS 60000 /* for what takes well below a second */
#define STEPS_MAX 64
#define STUDIES_MAX 3
#define OUTSIDER 98 /* id of a member that the study does not name */

struct err;
struct fault;

/* A gate, and our uplink for it.  Site k has id 10 + k and name sK. */
struct site {
	char name[8];
	char state[128];
	uint16_t id;
	struct key *key;
	pid_t pid;
	struct chan *parent, *uplink, *control, *board;
	double y[ROWS], a[ROWS], b[ROWS];
	struct canon poll; /* body of Next; empty: do not ask */
	uint64_t next_tag; /* of the question that waits; 0: none */
	int64_t ask_at; /* when to ask again; 0: not by the clock */
	uint64_t answer_tag; /* of the vector that it has sent or fetches */
	bool
	    moving; /* that is on its way; another one of another study waits */
	struct later {
		enum msg_type type;
		uint64_t tag;
		struct canon body;
	} later;
	struct canon data; /* an upload that goes, a fetch that comes */
	uint8_t name_of_data[ROUND_DIGEST];
	size_t chunk;
	uint64_t size;
	enum round_type last; /* that it sent */
	bool sending; /* and was not told yet whether it arrived */
	/* SHA-256 of the message it was told last, by study. */
	uint8_t question[STUDIES_MAX][32];
	size_t n_sent; /* messages, uploads and fetches that left it */
	char refusal[256]; /* the coordinator's last, of what it sent */
};

enum fate { PASS, LOSE };

/* What a hook has made of a job: nothing; its end is to be told; the gate has
   been told what ends it. */
enum job_fate { JOB_PASS, JOB_DONE, JOB_FATAL };

struct options {
	size_t n; /* sites, at most SITES_MAX */
	const char *cohort; /* "fixed" or "open" */
	const char *privacy; /* more lines of [privacy], or NULL */
	const char *rounds; /* and of [rounds] */
	const char *learning; /* a section [learning], or NULL */
	const char *policy; /* more lines of the sites' [policy], or NULL */
	unsigned ready_wait_s, deadline_s; /* of each phase */
	unsigned keep_tables; /* [policy] keep-tables of the sites */
	bool board; /* all have one: the test reads it */
	unsigned iterations; /* of Newton's at most; 0: the default */
	/* If set, all run under tests/faults/shim.so, and this is called before
	   they start: it says what is to happen (h.faults). */
	void (*faults)(void);
};

struct harness {
	struct options o;
	size_t n;
	char dir[64];
	struct key *root, *coordinator, *officer, *deputy, *outsider;
	struct manifest_roots roots; /* zeros until the first change */
	struct canon manifest, study;
	const char *name; /* of the study that the calls below are about */
	/* All, and of which of them a hook has a message. */
	const char *names[STUDIES_MAX];
	uint8_t digests[STUDIES_MAX][SIGNED_DIGEST];
	size_t n_studies, of;
	uint8_t digest[SIGNED_DIGEST];
	struct signed_study *sig;
	struct manifest *opened;
	struct study *parsed;
	struct model_spec spec;
	struct site sites[SITES_MAX];
	pid_t pid; /* rounds */
	struct chan *parent, *listener, *control, *board;
	unsigned roles; /* of who asks: CTL_OPERATOR, CTL_OFFICER, or both */
	struct ctl_reply reply; /* of the last control request */
	bool replied; /* to one that no control() waits for */

	/* Kill this site when it has sent that; then it stays away until
	   finish(). */
	int victim;
	enum round_type at;
	bool killed;

	/*
	 * Hooks, NULL by default.  A message may be altered in place.  to_site
	 * has the coordinator's before the gate does, to_rounds a site's before
	 * rounds does, starting is called when a job is to start, training when
	 * a trainer has started, trained has what it answers, job stands for
	 * reader and trainer, upload has the masked words, put the chunk that
	 * goes (and its index), fetched the words of an upload that comes.
	 */
	enum fate (*to_site)(
	    struct site *s, enum round_type type, struct canon *msg);
	enum fate (*to_rounds)(
	    struct site *s, enum round_type type, struct canon *msg);
	void (*starting)(struct site *s, enum proc proc);
	void (*trained)(struct site *s, struct canon *msg);
	void (*training)(struct site *s);
	enum job_fate (*job)(
	    struct site *s, struct chan *job, const struct msg *order);
	void (*upload)(struct site *s, struct canon *words);
	void (*put)(struct site *s, uint32_t *index, struct canon *chunk);
	void (*fetched)(struct site *s, struct canon *words);

	bool take_vectors; /* in the place of rounds, which get none */
	size_t n_idle; /* jobs that got no order, and ended */
	bool lose_checkpoints; /* as if the coordinator were away */
	/* Sites (by bit) that are not in the sum of a step. */
	unsigned missing[STEPS_MAX];
	size_t n_dropped; /* tables that gates had deleted */
	bool may_die; /* a process that ends is started again */
	size_t n_deaths;
	int64_t died_at; /* the last one; clock_mono_ms() */
	/* With options.faults: of each site; of rounds is the one at n. */
	struct fault *faults[SITES_MAX + 1];
	/* Called, if set, when one has ended, before it starts again. */
	void (*before_restart)(struct site *s);
};

extern struct harness h;

/* Fails the test with the message if rv is negative. */
void ok(int rv, const struct err *err);

/* Set everything up but the study; -1 or 0, for cmocka's setup. */
int consortium_start(struct options o);
/* One with three sites, one iteration and nobody late. */
int three_sites(void **state);
int consortium_stop(void **state); /* for cmocka's teardown */

void start_site(struct site *s);
void start_rounds(void);
void kill_site(struct site *s);
void kill_rounds(void);
/* Rounds, and all sites that run anew: their calls went with it. */
void start_all(void);
/* An image of rounds' database, spool and audit log; and rounds as it was then. */
void back_up_rounds(void);
void restore_rounds(void);

/* Sign the manifest of the next epoch, with these sites (by bit) revoked, and
   submit it: what h.manifest is from then on. */
void submit_epoch(unsigned revoked);
/* Submit manifest and study. */
void submit(void);
/* Another study of the same model by another name, submitted: h.name is that from
   then on. */
void add_study(const char *name);
/* Submit manifest and study, prepare and approve it everywhere. */
void begin(void);
void approve(struct site *s);
/* Sign a decision about the table that the site has prepared. */
void decide(struct site *s, enum approval_verdict verdict);
/* The same by any key, not handed over: appended to object. */
void sign_decision(struct site *s, enum approval_verdict verdict,
    const struct key *k, struct canon *object);
/* Do what is to be done, then wait for at most so long. */
void pump(int timeout_ms);
/* Do what is to be done until it is so. */
#define wait_until(what)                                                       \
	for (int64_t until_ = clock_mono_ms() + 3 * TIMEOUT_MS; !(what);       \
	     pump(10))                                                         \
	assert_true(clock_mono_ms() < until_)
/* Until the study has that status at the site, and this in its reason. */
void await_status(struct site *s, const char *status, const char *why);
/* Until all say that the study is done, with the model of all rows that were
   in the sums, to the bit.  A site that was killed comes back. */
void finish(void);
/* Until all sites say so, with the same model, whichever. */
void finish_alike(void);
bool done(struct chan *control);
/* Two decisions of one second are one: a second later. */
void decide_anew(struct site *s, enum approval_verdict verdict);

/* One command on a control channel; the answer is in h.reply.  If the process
   ends meanwhile (may_die) its successor is asked: then it returns true, and
   control_ok() accepts a refusal, as what was asked for may have been done. */
bool control(struct chan *c, const char *command, const char *study,
    const void *body, size_t len);
void control_ok(struct chan *c, const char *command, const char *study,
    const void *body, size_t len);
const char *cell(const char *column);
const char *in_dir(const char *name); /* a path; four are kept */

/*
 * The attacker's side.
 */

/* As the coordinator (site NULL) or a site, with its real key. */
const struct round_ctx *ctx_of(const struct site *s, struct context *c);
/* Hand a gate a message as if it came from the coordinator. */
void tell(struct site *s, const struct canon *msg);
void tell_object(struct site *s, const struct canon *object);
/* Until the gate knows what became of its last message. */
void wait_idle(struct site *s);
/*
 * Hand it over (and free it); the gate must refuse it with the word in the
 * reason, in its audit log, with its store unchanged and nothing sent.
 */
void refuses(struct site *s, struct canon *msg, const char *word);
/* Hand over what was answered before: the same bytes must come again. */
void answers_again(struct site *s, const struct canon *msg,
    enum round_type type, const struct canon *answer);
/* Wait until the audit log at in_dir(NAME/audit.log) has more than n lines
   with both words. */
void wait_for_audit(
    const char *name, const char *event, const char *word, size_t n);
size_t audit_lines(const char *name, const char *event, const char *word);
/* What a Send of site's to rounds would be answered; "" if it is taken.  The
   message stays the caller's. */
const char *rounds_say(struct site *s, const struct canon *msg);
/* The same to a request as any listener could hand it on. */
const char *rounds_say_to_request(
    uint16_t site, unsigned method, const void *body, size_t len);
const char *rounds_say_to_chunk(struct site *s,
    const uint8_t root[ROUND_DIGEST], uint32_t index, const void *data,
    size_t len, uint32_t *have);

#endif
