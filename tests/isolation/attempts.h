/*
 * What no process, or only some may do: tried by the test itself, and by each
 * program when it is about to read its first message (order.c).
 */
#ifndef TESTS_ISOLATION_ATTEMPTS_H
#define TESTS_ISOLATION_ATTEMPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Descriptors that a program has by mistake: a program's file, a socket. */
#define PROGRAM_FD 100
#define SOCKET_FD 101

/* Where it is tried. */
extern struct scene {
	char state[64]; /* the folder */
	int ports[2]; /* the coordinator's, another one */
	pid_t sibling;
	void *readable; /* an address that the sibling has memory at */
} scene;

/* For everybody, to see that the attempt can be made at all. */
enum { FREE_OK, FREE_ANY };

extern const struct attempt {
	const char *what;
	int (*fn)(void); /* -1 with errno, or what is not negative */
	unsigned may; /* who may; everybody else must not */
	int abi; /* of Landlock, where nothing else stops it */
	int freely;
	bool loose; /* also in builds with a sanitizer */
} attempts[];
extern const size_t n_attempts;

/* A path in the folder; two are kept. */
const char *in_state(const char *name);

/* The scene, and the number of an attempt, over an exec. */
#define ORDER_ENV "CONSILIUM_ORDER"
void order_put(size_t attempt);
/* -1: there is none. */
int order_get(void);

/* How a program ends that has tried: this, and errno unless it could. */
#define ORDER_EXIT 64

#endif
