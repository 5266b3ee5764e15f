#include "config.h"

#include "privsep/house.h"

#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "common/err.h"
#include "common/file.h"
#include "common/ini.h"
#include "common/log.h"
#include "privsep/family.h"
#include "privsep/landlock.h"
#include "privsep/lock.h"
#include "privsep/spawn.h"

#define PATH_SIZE 4096
#define CREDENTIALS_ENV "CREDENTIALS_DIRECTORY"
#define SOCKET_NAME "control" /* FileDescriptorName= of the socket units */
#define PROBE_SIZE (256 * 1024) /* what must fit on the disk at least */

int
house_options(
    int argc, char **argv, const char *config, struct house_options *o)
{
	static const struct option words[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	static const char usage[] =
	    "usage: %s [-dnrv] [-f file] | --help | --version\n";
	const char *name = program_invocation_short_name;
	int c;

	*o = (struct house_options){ config, false, HOUSE_ANY, LOG_INFO };
	while ((c = getopt_long(argc, argv, "df:nrv", words, NULL)) != -1) {
		switch (c) {
		case 'd':
			setenv("CONSILIUM_SECCOMP", "log", 1);
			o->log_priority = LOG_DEBUG;
			break;
		case 'f':
			o->config = optarg;
			break;
		case 'n':
			o->check_only = true;
			break;
		case 'r':
			o->sandbox = HOUSE_FILES;
			break;
		case 'v':
			o->log_priority = LOG_DEBUG;
			break;
		case 'h':
			printf(usage, name);
			return 1;
		case 'V':
			printf("%s %s\n", name, PACKAGE_VERSION);
			return 1;
		default:
			fprintf(stderr, usage, name);
			return -1;
		}
	}
	if (optind == argc)
		return 0;
	fprintf(stderr, usage, name);
	return -1;
}

static int
join(
    char path[PATH_SIZE], const char *folder, const char *name, struct err *err)
{
	if (snprintf(path, PATH_SIZE, "%s/%s", folder, name) >= PATH_SIZE)
		return err_set(
		    err, ERR_CONFIG, "path too long: %s/%s", folder, name);
	return 0;
}

/* A full disk is better found now than in the middle of a round. */
static int
probe(const char *state, struct err *err)
{
	char path[PATH_SIZE];
	void *zeros = calloc(1, PROBE_SIZE);
	int rc;

	if (zeros == NULL || join(path, state, ".probe", err) < 0) {
		free(zeros);
		return err_set(err, ERR_SYSTEM, "%s: no memory", state);
	}
	rc = file_write(path, zeros, PROBE_SIZE, 0600, err);
	free(zeros);
	if (rc < 0)
		return err_prefix(err, "the state folder cannot be written");
	unlink(path);
	return 0;
}

/* The last folder of a path.  One that others should have made is more likely
   misspelt. */
static int
make_last(const char *path, struct err *err)
{
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return 0;
	if (errno == ENOENT)
		return err_set(err, ERR_CONFIG,
		    "state = %s: the folder that it is to be made in is not "
		    "there",
		    path);
	return err_sys(err, "make %s", path);
}

int
house_state(
    const char *state, const char *const *folders, size_t n, struct err *err)
{
	char path[PATH_SIZE];
	int fd;

	if (make_last(state, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (join(path, state, folders[i], err) < 0 ||
		    file_mkdirs(path, 0700, err) < 0)
			return -1;
	}
	if (join(path, state, "lock", err) < 0)
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, "open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			err_set(err, ERR_CONFIG,
			    "%s: another daemon works in this folder", state);
		else
			err_sys(err, "lock %s", path);
		goto fail;
	}
	if (probe(state, err) < 0)
		goto fail;
	return fd;
fail:
	close(fd);
	return -1;
}

int
house_fence(const char *state, unsigned port, int required, struct err *err)
{
	int abi = landlock_abi();
	const char *lacks = landlock_lacks(abi);
	char number[16];

	if ((abi == 0 && required != HOUSE_ANY) ||
	    (lacks != NULL && required == HOUSE_ALL))
		return err_set(err, ERR_CONFIG,
		    "this kernel (Landlock version %d) cannot limit %s: "
		    "refused, as -r or [sandbox] require says",
		    abi, lacks);
	if (lacks != NULL)
		log_msg(LOG_NOTICE,
		    "this kernel (Landlock version %d) cannot limit %s", abi,
		    lacks);
	snprintf(number, sizeof(number), "%u", port);
	if (setenv(LOCK_STATE_ENV, state, 1) < 0 ||
	    setenv(LOCK_PORT_ENV, number, 1) < 0)
		return err_sys(err, "environment");
	return 0;
}

int
house_open(const char *folder, const char *name, struct err *err)
{
	char path[PATH_SIZE];
	struct stat st;
	int fd;

	if (folder == NULL)
		snprintf(path, sizeof(path), "%s", name);
	else if (join(path, folder, name, err) < 0)
		return -1;
	/* A pipe would have us wait. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return err_sys(err, "open %s", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(err, ERR_CONFIG, "%s: not a file", path);
	}
	return fd;
}

int
house_key_path(char *path, size_t size, const char *folder, const char *name,
    struct err *err)
{
	const char *credentials = getenv(CREDENTIALS_ENV);

	if (credentials != NULL &&
	    (size_t)snprintf(path, size, "%s/%s", credentials, name) < size &&
	    access(path, F_OK) == 0)
		return 0;
	if ((size_t)snprintf(path, size, "%s/%s", folder, name) >= size)
		return err_set(
		    err, ERR_CONFIG, "path too long: %s/%s", folder, name);
	return 0;
}

static int
open_key(const char *folder, const char *name, struct err *err)
{
	char path[PATH_SIZE];

	if (house_key_path(path, sizeof(path), folder, name, err) < 0)
		return -1;
	return house_open(NULL, path, err);
}

int
house_give(const struct house_grant *grants, size_t n, const char *folder,
    enum proc p, struct chan *to, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		int fd, rc;

		if (grants[i].to != p)
			continue;
		if ((fd = open_key(folder, grants[i].name, err)) < 0)
			return -1;
		rc = family_give_file(to, grants[i].name, fd, err);
		close(fd);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int
check_secret(int fd, const char *folder, const char *name, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "%s/%s", folder, name);
	if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return err_set(err, ERR_CONFIG,
		    "%s/%s: mode %04o lets others at a secret, expected 0400 "
		    "or 0600",
		    folder, name, (unsigned)st.st_mode & 07777);
	return 0;
}

int
house_check(const struct house_grant *grants, size_t n, const char *folder,
    struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		int fd = open_key(folder, grants[i].name, err), rc = 0;

		if (fd < 0 && access(folder, F_OK) < 0)
			err_set(
			    err, ERR_CONFIG, "there is no folder %s", folder);
		if (fd < 0)
			return -1;
		if (grants[i].secret)
			rc = check_secret(fd, folder, grants[i].name, err);
		close(fd);
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* Is somebody listening there?  If not, what is left of him is removed. */
static int
make_way(const struct sockaddr_un *sun, struct err *err)
{
	struct stat st;
	int fd, rc;

	if (lstat(sun->sun_path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, ERR_CONFIG, "%s: there, and not a socket",
		    sun->sun_path);
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
		return err_sys(err, "socket");
	rc = connect(fd, (const struct sockaddr *)sun, sizeof(*sun));
	close(fd);
	if (rc == 0)
		return err_set(err, ERR_CONFIG,
		    "%s: socket in use by another daemon", sun->sun_path);
	if (unlink(sun->sun_path) < 0)
		return err_sys(err, "remove %s", sun->sun_path);
	return 0;
}

static int
make_folder(const char *path, struct err *err)
{
	char folder[PATH_SIZE];
	char *slash;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash == NULL || slash == folder)
		return 0;
	*slash = '\0';
	return file_mkdirs(folder, 0755, err);
}

/* systemd's, or -1 without an error if there is none. */
static int
find_inherited(void)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names), found = -1;

	for (int i = 0; i < n; i++) {
		int fd = SD_LISTEN_FDS_START + i;

		if (found < 0 && strcmp(names[i], SOCKET_NAME) == 0)
			found = fd;
		else
			close(fd);
		free(names[i]);
	}
	free(names);
	return found;
}

static int
listen_at(const char *path, bool open_to_all, struct err *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(sun.sun_path))
		return err_set(err, ERR_CONFIG,
		    "a socket's path is at most %zu bytes long: %s",
		    sizeof(sun.sun_path) - 1, path);
	memcpy(sun.sun_path, path, strlen(path));
	if (make_folder(path, err) < 0 || make_way(&sun, err) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(err, "socket");
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
	    chmod(path, open_to_all ? 0666 : 0660) < 0 || listen(fd, 16) < 0) {
		err_sys(err, "listen at %s", path);
		close(fd);
		return -1;
	}
	return fd;
}

int
house_socket(
    struct house_socket *s, const char *path, bool open_to_all, struct err *err)
{
	*s = (struct house_socket){ .fd = find_inherited() };
	if (s->fd < 0) {
		s->fd = listen_at(path, open_to_all, err);
		return s->fd < 0 ? -1 : 0;
	}
	s->inherited = true;
	if (sd_is_socket_unix(s->fd, SOCK_STREAM, 1, path, 0) <= 0)
		return err_set(err, ERR_CONFIG,
		    "the socket that systemd hands over is not the one at %s: "
		    "ListenStream= of the socket unit and [control] socket "
		    "have to be one path",
		    path);
	/* systemd makes it a blocking one. */
	if (fcntl(s->fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return err_sys(err, "%s", path);
	return 0;
}

void
house_socket_close(struct house_socket *s, const char *path)
{
	if (s->fd < 0)
		return;
	if (!s->inherited)
		unlink(path);
	close(s->fd);
}

int
house_group(const char *name, gid_t *gid, struct err *err)
{
	struct group *g;

	*gid = (gid_t)-1;
	if (name == NULL)
		return 0;
	if ((g = getgrnam(name)) == NULL)
		return err_set(err, ERR_CONFIG,
		    "no group %s, expected one of this machine", name);
	*gid = g->gr_gid;
	return 0;
}

int
house_executables(const enum proc *procs, struct err *err)
{
	char path[PATH_SIZE];

	for (size_t i = 0; procs[i] != PROC_NONE; i++) {
		if (spawn_find(procs[i], path, sizeof(path), err) < 0)
			return -1;
	}
	return 0;
}

int
house_be_owner(
    const char *config, const char *state, char as[HOUSE_AS], struct err *err)
{
	struct passwd *owner;
	struct stat st;

	as[0] = '\0';
	if (geteuid() != 0 || stat(state, &st) < 0 || st.st_uid == 0)
		return 0;
	if ((owner = getpwuid(st.st_uid)) == NULL)
		return err_set(err, ERR_CONFIG,
		    "%s belongs to user %u, expected one of this machine",
		    state, (unsigned)st.st_uid);
	snprintf(as, HOUSE_AS, " (as user %.32s)", owner->pw_name);
	if (initgroups(owner->pw_name, owner->pw_gid) < 0 ||
	    setgid(owner->pw_gid) < 0 || setuid(owner->pw_uid) < 0)
		return err_sys(err, "become user %s", owner->pw_name);
	if (access(config, R_OK) < 0)
		return err_sys(err, "open %s", config);
	return 0;
}

/* From an absolute path to the folder that it is in. */
static void
cut_last(char *path)
{
	char *slash = strrchr(path, '/');

	slash[slash == path] = '\0';
}

/* May it be accessed so (access(2)), or be made in the one that it is in? */
static int
check_folder(const char *path, int mode, struct err *err)
{
	char in[PATH_SIZE];
	struct stat st;

	if (stat(path, &st) == 0) {
		if (!S_ISDIR(st.st_mode))
			return err_set(err, ERR_CONFIG,
			    "%s: not a folder, expected one", path);
		return access(path, mode) < 0 ? err_sys(err, "%s", path) : 0;
	}
	snprintf(in, sizeof(in), "%s", path);
	cut_last(in);
	if (access(in, W_OK | X_OK) < 0)
		return err_sys(err,
		    "there is no folder %s, and it cannot be made in %s", path,
		    in);
	return 0;
}

int
house_check_folders(const struct ini *ini, const char *state,
    const char *socket, struct err *err)
{
	char in[PATH_SIZE];

	if (check_folder(state, R_OK | W_OK | X_OK, err) < 0)
		return ini_prefix(ini, state, err);
	snprintf(in, sizeof(in), "%s", socket);
	cut_last(in);
	if (check_folder(in, X_OK, err) < 0)
		return ini_prefix(ini, socket, err);
	return 0;
}
