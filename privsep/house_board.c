#include "config.h"

#include "privsep/family.h"
#include "privsep/house_board.h"

#include <sys/socket.h>

#include <errno.h>
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

int
house_board_tell(const struct house_board *b, const struct family *f,
    struct chan *to, struct err *err)
{
	char started[24], until[24], restarts[16];
	const struct family_fact facts[] = {
		{ "side", b->side },
		{ "name", b->name },
		{ "listen", b->at },
		{ "started", started },
		{ "certificate-until", until },
		{ "restarts", restarts },
	};

	snprintf(started, sizeof(started), "%lld", (long long)b->started);
	snprintf(until, sizeof(until), "%lld", (long long)b->certificate_until);
	snprintf(restarts, sizeof(restarts), "%u", family_restarts(f));
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
