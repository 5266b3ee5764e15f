/*
 * Faults of the system under a gate or rounds (or another process): the real
 * program, started by tests/faults/gate or rounds with shim.so before it, which
 * counts what changes the disk and has the k-th such call end the process or
 * fail.  Each process
 * has a file STATE.fault beside the folder of its state, mapped by the shim and
 * by the test; without that file the shim does nothing but pass calls on.
 *
 * Nothing is really synced: the kernel keeps what a killed process has
 * written.  What a loss of power would have left follows from the record of
 * calls (tests/faults/power.h).
 */
#ifndef TESTS_FAULTS_FAULT_H
#define TESTS_FAULTS_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fault_kind {
	FAULT_NONE,
	FAULT_KILL_BEFORE, /* kill -9, the call is not made */
	FAULT_KILL_AFTER, /* the call is made, nothing after it */
	FAULT_KILL_TORN, /* half of a write is made; else as before */
	FAULT_ERROR, /* the call fails, once */
	FAULT_DISK, /* it and all that follow fail until the next start */
	FAULT_MEMORY, /* the k-th allocation of the program's own fails */
	/* At each place of the program, which is the calls that lead to it, the
	   first call of the kinds in `what` fails, over all starts. */
	FAULT_PLACES,
	/* The same, each time in a child that is forked for it (fork.h). */
	FAULT_FORKS,
};

enum fault_what {
	PLACES_MEMORY = 1, /* allocations */
	PLACES_DISK = 2, /* changes of the disk */
	PLACES_DATABASE =
	    4, /* statements: SQLite says that it was interrupted */
	PLACES_CHANNEL = 8, /* messages to other processes, sealed memory */
	PLACES_SYSTEM = 16, /* other calls: files, sockets, limits, threads */
	PLACES_ALL = 31,
};

/* Who ends for a fault that comes with ENOSPC says one of these. */
#define FAULT_WORDS                                                            \
	"memory", "No space left on device", "disk I/O error", "full",         \
	    "interrupted", "too big", "unable to open database file",          \
	    "too much to wait for", "not by hand"

/* What the record has; each is followed by its data. */
enum fault_op {
	OP_CREATE = 1, /* data: path */
	OP_WRITE, /* data: bytes */
	OP_TRUNCATE, /* at: the new length */
	OP_SYNC, /* a file or a folder */
	OP_RENAME, /* data: from, NUL, to */
	OP_UNLINK, /* data: path */
};

struct fault_record {
	uint32_t op;
	uint32_t len; /* of the data, without what fills it up to 8 bytes */
	uint64_t inode;
	uint64_t at;
};

#define FAULT_LOG (64u << 20)
#define LIVED_MAX 1024u
#define PLACES_MAX (1u << 16)

struct fault {
	/* The test's. */
	uint32_t kind;
	int32_t error; /* errno of what fails */
	uint32_t what; /* of FAULT_PLACES */
	int32_t deep; /* so many of the calls that lead to a place tell it */
	uint64_t at; /* k, from 1; 0 when it has happened */
	int64_t clock_s; /* added to the time of day */
	int64_t passed_s; /* and to the clock that timers go by */
	bool record;
	bool any_reason; /* a child may end for what comes before the fault */
	/* The shim's. */
	uint64_t n; /* calls so far, since the start */
	uint64_t n_memory; /* allocations */
	uint64_t fired; /* faults so far, over all starts */
	char where[96]; /* the last one: the call, and the file */
	/* What came of those in a child: it ended, and said why in a line;
	   neither that, nor did it live with it. */
	uint64_t n_ended, n_bad;
	/* It did.  FAULT_PLACES tries these places alone, if there are any. */
	uint64_t n_lived, lived[LIVED_MAX];
	uint64_t n_places;
	uint64_t places[PLACES_MAX]; /* that have failed; a hash table */
	uint64_t log_len;
	_Alignas(8) uint8_t log[FAULT_LOG];
};

/* Make STATE.fault and map it; the test fails if it cannot. */
struct fault *fault_open(const char *state);
/* The same, and each place (PLACES_..., or of them) fails once: ENOSPC. */
struct fault *fault_places(const char *state, uint32_t what);
void fault_close(struct fault *f);

#endif
