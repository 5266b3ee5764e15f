/*
 * The processes, and all messages between them.  Who takes what from whom is
 * in each process's table of handlers (privsep/chan.h); what a message holds
 * is said here.  Payloads are in the canonical layout (common/canon.h):
 *
 *     u8, u32, u64    integers          raw N    N bytes without a length
 *     text            1 to some bytes   bytes    0 to some bytes
 *     (-)             no payload
 *
 * A tag is a number that an answer repeats: 0 unless said otherwise.  "+ fd"
 * is a descriptor that travels with the message.
 *
 * Numbers are for one build: all processes of a daemon are of one version.
 */
#ifndef PRIVSEP_MSG_H
#define PRIVSEP_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum proc {
	PROC_NONE,
	PROC_PARENT, /* consiliumd or consilium-coordinator */
	PROC_GATE,
	PROC_UPLINK,
	PROC_CONTROL,
	PROC_READER,
	PROC_TRAINER,
	PROC_LISTENER,
	PROC_ROUNDS,
	PROC_BOARD,
	PROC_COUNT
};

/* "gate", "uplink", ...; also the name of the executable. */
const char *proc_name(enum proc proc);
/* PROC_NONE if there is none of that name. */
enum proc proc_find(const char *name);

enum msg_type {
	MSG_NONE,

	/* Life of a process.  privsep/start.h and loop.h deal with these. */
	MSG_FILE, /* parent -> any: text name, + fd; before MSG_CONFIG */
	MSG_PEER, /* parent -> any: u8 proc, + fd: the channel to that process */
	MSG_CONFIG, /* parent -> any: privsep/start.h; ends the start, and sent
	               again (after fresh MSG_FILEs) when certificates changed */
	MSG_READY, /* any -> parent: bytes text for the log, or none */
	MSG_PING, /* parent -> any: (-); tag is a counter */
	MSG_PONG, /* any -> parent: (-); tag is that of the ping */
	MSG_STATUS, /* any -> parent: text, what it is busy with (sd_notify) */
	MSG_STOP, /* parent -> any: (-); finish what is on its way and exit 0 */

	/* Jobs.  Their tag is the job's number, which the gate chooses and
	   never uses twice. */
	MSG_START_READER, /* gate -> parent: text study, u64 job of the last
	                     report (0: none) */
	MSG_START_TRAINER, /* gate -> parent: text study, text table (its name
	                      in the folder of tables) */
	MSG_JOB_CHANNEL, /* parent -> gate: text table, + fd: channel to the job */
	MSG_JOB_GONE, /* parent -> gate: u8 ok, text how; the last of a job, also
	                 where it could not be started */
	MSG_DROP_TABLE, /* gate -> parent: text table; delete it */

	MSG_READER_JOB, /* gate -> reader: raw 32 study (digest), text site,
	                   u32 smallest k (of the policy), bytes study (text of
	                   the study file) */
	MSG_READER_DONE, /* reader -> gate: raw 32 table, raw 32 report (SHA-256),
	                    u64 rows kept, u64 rows suppressed, u64 rows rejected,
	                    u64 rows of patients who object, u64 patients on
	                    their list, raw 32 digest of it (zeros: no list) */
	MSG_TRAIN, /* gate -> trainer: raw 32 study digest, u32 sites, u32 own
	              index, bytes study, bytes plan */
	MSG_TRAINED, /* trainer -> gate: raw 32 table, u32 n, n times f64 */
	MSG_JOB_FAILED, /* reader|trainer -> gate: u32 enum err_code, text why */

	/*
	 * gate <-> uplink.  The uplink keeps nothing and reads nothing.
	 *
	 * It asks Next with the newest POLL for ever.  After FROM_COORDINATOR
	 * it asks again when the gate sends a POLL (the same one will do), when
	 * all that the gate sent has been delivered or has failed, or, if
	 * neither happens, after a while: then the gate may be asked the same
	 * again.  What fails is not tried again: the coordinator asks again,
	 * and an upload goes on where it stopped.
	 */
	MSG_POLL, /* gate -> uplink: raw body of Next; asked, in place of any
	             earlier one, until it brings a message */
	MSG_FROM_COORDINATOR, /* uplink -> gate: raw message, of Next or of the
	                         reply to a Send */
	MSG_TO_COORDINATOR, /* gate -> uplink: raw message for Send; tag is
	                       repeated in DELIVERED.  For an order between two
	                       of these, wait for that */
	MSG_UPLOAD, /* gate -> uplink: raw 32 upload (its root), u64 size of a
	               chunk, raw words: for PutChunk; tag as above */
	MSG_FETCH, /* gate -> uplink: raw 32 SHA-256, u64 size; for GetChunk.
			With u32 chunk: that one alone, of that size */
	MSG_FETCHED, /* uplink -> gate: raw content, of that size and otherwise
	                unchecked; tag is that of the FETCH */
	MSG_DELIVERED, /* uplink -> gate: u32 0 or enum err_code (ERR_SYSTEM: not
	                  now), bytes why; ends TO_COORDINATOR and UPLOAD, and a
	                  FETCH that failed */
	MSG_REACHED, /* uplink -> gate: u8 1: the coordinator has answered, 0: not
	                any more; at each change */

	/* listener <-> rounds */
	MSG_ALLOW_LIST, /* rounds -> listener: u32 n, n times (u32 site, raw 32
	                   SHA-256 of its TLS key): nobody else from now on */
	MSG_REQUEST, /* listener -> rounds: u8 enum request_method, u32 site, raw
	                body as said there; tag is the call's number */
	MSG_REPLY, /* rounds -> listener: u32 0 or enum err_code, raw body or
	              the error's text; tag as above.  A call that is gone by
	              then is no error */

	/* control <-> gate | rounds.  privsep/ctl_msg.h writes and reads these;
	   tag is the client's number. */
	MSG_CTL_REQUEST,
	MSG_CTL_REPLY,

	MSG_BOARD, /* gate|rounds -> board: board/snapshot.h; after each change */

	MSG_COUNT
};

/*
 * What a site may ask of the coordinator: one unary call each.  Request and
 * answer bodies are what MSG_REQUEST and MSG_REPLY carry.
 */
enum request_method {
	REQUEST_NEXT = 1, /* raw question (crypto/exchange.h), held until there
	                     is something to say; raw message, or nothing: ask
	                     again */
	REQUEST_SEND, /* raw message; nothing */
	REQUEST_PUT_CHUNK, /* raw 32 upload, u32 index, raw data; u32 chunks that
	                      stand now, from the first one on */
	REQUEST_GET_CHUNK, /* raw 32 name, u32 index; u32 chunks in all, raw
	                      data */
};

/* "START_READER", ..., for the log. */
const char *msg_name(enum msg_type type);

/* A message that was received.  privsep/chan.h fills it in. */
struct msg {
	enum msg_type type;
	enum proc from;
	uint64_t tag;
	const uint8_t *data; /* never NULL; ends with msg_free() */
	size_t len;
	int fd; /* that came with it, or -1; who keeps it sets this to -1 */
	void *held; /* what data points into; chan.c's business, as the next */
	bool mapped;
};

#endif
