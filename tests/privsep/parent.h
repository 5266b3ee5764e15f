/*
 * consiliumd or consilium-coordinator for tests, in a folder of its own: with
 * keys, a certificate and a configuration, process control as it is, and
 * doubles (double.c) for all others.
 */
#ifndef TESTS_PRIVSEP_PARENT_H
#define TESTS_PRIVSEP_PARENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define WAIT_MS 20000 /* for what takes well below a second */

extern const char *configured_name; /* in the configuration */
extern bool coordinator; /* which one */
extern int socket_unit; /* that systemd listens at for it, or -1 */
extern const char *preload; /* a library to start it with, or NULL */

/* The daemon under test. */
struct daemon {
	pid_t pid;
	int out; /* its standard error */
	int notify; /* what systemd would hear */
	char log[65536], heard[65536];
	size_t log_len, heard_len;
};
extern struct daemon d;

/* cmocka's, of a group. */
int set_up(void **state);
int tear_down(void **state);

/* In the folder; eight are kept. */
const char *path(const char *name);
bool there(const char *name);
void put(const char *name, const void *data, size_t len);
void put_text(const char *name, const char *text);
void put_certificate(int64_t from, int64_t until);
/* Each with more lines at its end. */
void put_config(const char *more);
void put_coordinator_config(const char *more);
/* Of the double reader's job. */
void remove_outputs(void);

/* order is for the doubles. */
void start(const char *order);
/* What a child that was forked becomes; out is its standard error. */
void become_parent(int out, const char *option);
/* Hear and read what there is, for up to ms; false at the end of the log. */
bool listen_for(int ms);
void take(int fd, char *buf, size_t size, size_t *len);
int count(const char *text, const char *what);
/* Until what has been in text (d.log or d.heard) n times. */
void await(const char *text, const char *what, int n);
/* Its exit status, once it has ended; sig is sent first, unless it is 0. */
int ended(int sig);
/* The pid that the n-th process of that name logged. */
pid_t pid_of(const char *name, int n);

#endif
