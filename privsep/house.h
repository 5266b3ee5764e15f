/*
 * What a parent does before it starts its processes, the same on both sides:
 * options, folders, the lock, key files, the control socket.  Every error is
 * one line that says what the operator has to change.
 */
#ifndef PRIVSEP_HOUSE_H
#define PRIVSEP_HOUSE_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

#include "privsep/msg.h"

struct err;
struct ini;

struct house_options {
	const char *config; /* -f, or the default given */
	bool check_only; /* -n */
	int sandbox; /* -r: HOUSE_FILES */
	int log_priority; /* -v and -d: LOG_DEBUG */
};

/* 1 where help or version was all that was asked for, and is printed; -1 after
   a line of usage on standard error. */
int house_options(
    int argc, char **argv, const char *config, struct house_options *o);

/*
 * Make state, in a folder that is there, and its folders (mode 0700), see that it can be written, and
 * lock it against a second daemon.  Returns the lock's descriptor.
 */
int house_state(
    const char *state, const char *const *folders, size_t n, struct err *err);

/*
 * What all processes may touch at most (privsep/lock.h): of files those in
 * state, of TCP ports this one.  Logs what this kernel cannot limit, or
 * refuses to go on without: ERR_CONFIG.
 */
enum house_sandbox { HOUSE_ANY, HOUSE_FILES, HOUSE_ALL };
int house_fence(
    const char *state, unsigned port, int required, struct err *err);

/* Open an existing file of folder for reading; folder NULL: name is a path. */
int house_open(const char *folder, const char *name, struct err *err);

/*
 * Where a key's file is: among the unit's credentials, if there is one of that
 * name (systemd.exec(5), LoadCredential=), else in the folder of keys.
 */
int house_key_path(char *path, size_t size, const char *folder,
    const char *name, struct err *err);

/* Who gets which file of the folder of keys. */
struct house_grant {
	enum proc to;
	const char *name;
	bool secret; /* refused by whom it goes to if others may touch it */
};
struct chan;
/* Open and hand over what p is to have. */
int house_give(const struct house_grant *grants, size_t n, const char *folder,
    enum proc p, struct chan *to, struct err *err);
/* Can all of them be opened, and are the secret ones nobody else's? */
int house_check(const struct house_grant *grants, size_t n, const char *folder,
    struct err *err);

/*
 * The control socket: the one of the socket unit (FileDescriptorName=control),
 * which must be at path and stays systemd's; without one, our own at path.
 * There a socket that nobody listens at any more is replaced; if open_to_all,
 * others may connect too: control then asks for their groups.
 */
struct house_socket {
	int fd; /* -1: none */
	bool inherited;
};
int house_socket(struct house_socket *s, const char *path, bool open_to_all,
    struct err *err);
void house_socket_close(struct house_socket *s, const char *path);

/* The number of a group; name NULL gives -1 in *gid. */
int house_group(const char *name, gid_t *gid, struct err *err);

/* Are the executables there? */
int house_executables(const enum proc *procs, struct err *err);

/*
 * Root becomes whom the state folder belongs to, for good: so no process of a
 * daemon is root's, and what -n can open is what the daemon can.  Then as is
 * " (as user NAME)", else "".
 */
#define HOUSE_AS 48
int house_be_owner(
    const char *config, const char *state, char as[HOUSE_AS], struct err *err);
/* Are the folders of state and socket there, or could they be made?  Errors
   have the place in ini, whose values these are. */
int house_check_folders(const struct ini *ini, const char *state,
    const char *socket, struct err *err);

#endif
