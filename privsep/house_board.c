#include "config.h"

#include "privsep/family.h"
#include "privsep/house_board.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <errno.h>
#include <fts.h>
#include <netdb.h>
#include <stdio.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/ini.h"
#include "common/macros.h"

#define AT_SIZE sizeof(((struct house_board *)0)->at)

static int
listen_at(const struct addrinfo *ai, const char *text, struct err *err)
{
	int fd, yes = 1;

	fd = socket(ai->ai_family,
	    ai->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, ai->ai_protocol);
	if (fd < 0)
		return err_sys(err, "[board] listen = %s: socket", text);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0 &&
	    bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, 16) == 0)
		return fd;
	if (errno == EADDRINUSE)
		err_set(err, ERR_CONFIG,
		    "[board] listen = %s: the port is in use", text);
	else
		err_sys(err, "[board] listen = %s", text);
	close(fd);
	return -1;
}

static int
tell_where(int fd, char *at, struct err *err)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	char host[64], port[8];

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return err_sys(err, "[board] listen");
	if (getnameinfo((struct sockaddr *)&ss, len, host, sizeof(host), port,
		sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return err_set(err, ERR_SYSTEM, "[board] listen: no address");
	snprintf(at, AT_SIZE, ss.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s",
	    host, port);
	return 0;
}

static int
listen_board(
    struct house_board *b, const struct ini_address *a, struct err *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct addrinfo *ai;
	char port[8];
	int rc;

	snprintf(port, sizeof(port), "%u", a->port);
	if ((rc = getaddrinfo(a->host, port, &hints, &ai)) != 0)
		return err_set(err, ERR_CONFIG, "[board] listen = %s: %s",
		    a->text, gai_strerror(rc));
	b->fd = listen_at(ai, a->text, err);
	freeaddrinfo(ai);
	return b->fd < 0 ? -1 : tell_where(b->fd, b->at, err);
}

int
house_board_open(struct house_board *b, const struct ini_address *a,
    struct family_plan *plan, enum proc master, struct err *err)
{
	b->fd = -1;
	b->started = clock_utc();
	if (a->host == NULL)
		return 0;
	family_add(plan, PROC_BOARD, master);
	return listen_board(b, a, err);
}

/* Bytes of the state's files, and what is left; -1 where it cannot be told. */
struct disk {
	long long state, free, audit;
};

static struct disk
measure(const char *state)
{
	char path[4096], *const roots[] = { path, NULL };
	struct disk d = { -1, -1, -1 };
	struct statvfs fs;
	struct stat st;
	FTSENT *e;
	FTS *fts;

	snprintf(path, sizeof(path), "%s/audit.log", state);
	if (stat(path, &st) == 0)
		d.audit = st.st_size;
	if (statvfs(state, &fs) == 0)
		d.free = (long long)fs.f_bavail * (long long)fs.f_frsize;
	snprintf(path, sizeof(path), "%s", state);
	if ((fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL)) == NULL)
		return d;
	d.state = 0;
	while ((e = fts_read(fts)) != NULL) {
		if (e->fts_info == FTS_F)
			d.state += e->fts_statp->st_size;
	}
	fts_close(fts);
	return d;
}

int
house_board_tell(const struct house_board *b, const struct family *f,
    struct chan *to, struct err *err)
{
	struct disk disk = measure(b->state);
	char started[24], until[24], restarts[16], size[24], left[24],
	    audit[24];
	const struct family_fact facts[] = {
		{ "side", b->side },
		{ "name", b->name },
		{ "listen", b->at },
		{ "started", started },
		{ "certificate-until", until },
		{ "restarts", restarts },
		{ "state-bytes", size },
		{ "state-free-bytes", left },
		{ "audit-bytes", audit },
	};

	snprintf(started, sizeof(started), "%lld", (long long)b->started);
	snprintf(until, sizeof(until), "%lld", (long long)b->certificate_until);
	snprintf(restarts, sizeof(restarts), "%u", family_restarts(f));
	snprintf(size, sizeof(size), "%lld", disk.state);
	snprintf(left, sizeof(left), "%lld", disk.free);
	snprintf(audit, sizeof(audit), "%lld", disk.audit);
	return family_give_config(
	    to, "board", "", 0, facts, nitems(facts), err);
}

int
house_board_equip(const struct house_board *b, const struct family *f,
    struct chan *to, struct err *err)
{
	if (family_give_file(to, "board", b->fd, err) < 0)
		return -1;
	return house_board_tell(b, f, to, err);
}
