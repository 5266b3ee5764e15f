/*
 * Why something failed.  A function that can fail returns -1 or NULL and says
 * why in a struct err, its last parameter.  The message is one line for the
 * operator; it never holds a cell's value, a patient identifier or a key.
 * Nothing here logs.
 */
#ifndef COMMON_ERR_H
#define COMMON_ERR_H

enum err_code {
	ERR_NONE,
	ERR_SYSTEM, /* a system call failed; sys_errno says how */
	ERR_CONFIG, /* the operator has to change something */
	ERR_FORMAT, /* a file or message is not what it should be */
	ERR_PEER, /* another process or host broke the protocol */
	ERR_REFUSED, /* a policy, an approval or a rule does not allow it */
	ERR_BUDGET, /* the privacy budget does not allow it */
	ERR_NUMERIC, /* the numbers do not determine a result */
};

struct err {
	enum err_code code;
	int sys_errno;
	char msg[512]; /* one line, for the operator */
};

/* Both fill in *err and return -1, so that a caller can return them. */
int err_set(struct err *err, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int err_sys(struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Put "what: " before the message that is there.  Returns -1. */
int err_prefix(struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
