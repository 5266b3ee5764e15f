/*
 * Landlock: the kernel's fence around the files and TCP ports of a process,
 * for itself and all that it will start.  What the running kernel's version
 * of it lacks is left open (landlock_lacks() names it); version 1, which came
 * with Linux 5.13, fences files.
 *
 * A rule is about what a path names now: a file that is replaced later is
 * another file.
 */
#ifndef PRIVSEP_LANDLOCK_H
#define PRIVSEP_LANDLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define LANDLOCK_PATHS_MAX 24
#define LANDLOCK_PORTS_MAX 4

enum landlock_right {
	LANDLOCK_READ = 1, /* a file, or the files below a folder */
	LANDLOCK_WRITE = 2, /* one that is there; also to cut it short */
	LANDLOCK_FOLDER = 4, /* list it; make, rename and remove its files */
	LANDLOCK_LIST = 8,
};

struct landlock_rules {
	struct landlock_path {
		char path[4200];
		unsigned rights; /* of enum landlock_right */
	} paths[LANDLOCK_PATHS_MAX];
	size_t n_paths;
	uint16_t bind[LANDLOCK_PORTS_MAX]; /* 0: what the kernel picks */
	size_t n_bind;
	bool bind_any; /* not only those */
	uint16_t connect[LANDLOCK_PORTS_MAX];
	size_t n_connect;
};

/* The version of the running kernel, or 0: it has none. */
int landlock_abi(void);

/* What a version cannot limit, for the log; NULL: nothing that we use. */
const char *landlock_lacks(int abi);

/*
 * Fence the calling thread in, for good: everything that rules do not name is
 * refused (EACCES).  Paths that are not there are passed over.  Nothing
 * happens on a kernel without Landlock.  no_new_privs must be set.
 */
int landlock_apply(const struct landlock_rules *rules, struct err *err);

#endif
