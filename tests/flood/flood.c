/*
 * Who floods a door, until it is killed.
 *
 *     flood half ADDRESSES PORT    connections that say half a word, kept as
 *                                  long as the other side keeps them
 *     flood slow WHERE TEXT        a byte a second, on 100 connections
 *     flood large WHERE            more than may be said, on 2 connections
 *     flood calls PORT KEYS        a member's Next, 100 at once
 *     flood ask SOCKET             status, 10 at once, as user nobody
 *     flood get PORT               no flood: one page; its first line
 *
 * WHERE is a port of the loopback or the path of a socket.  It dies with its
 * parent.
 */
#include "config.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <grp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/file.h"
#include "common/macros.h"
#include "privsep/ctl_client.h"
#include "rpc/client.h"

#define NOBODY 65534
#define CALLS 100
#define CALL_MS 60000

static void
fail(const char *why)
{
	fprintf(stderr, "flood: %s\n", why);
	exit(1);
}

/* From the n-th address of the loopback after its first. */
static int
dial_port(uint16_t port, uint32_t n)
{
	struct sockaddr_in from = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK + n) },
			   to = from;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons(port);
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0 &&
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int
dial(const char *where)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd;

	if (where[0] != '/')
		return dial_port((uint16_t)atoi(where), 1);
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", where);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void
half(uint32_t n_addresses, uint16_t port)
{
	static int fds[4096];
	struct rlimit r;

	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	for (size_t i = 0;; i = (i + 1) % nitems(fds)) {
		if (fds[i] > 0)
			close(fds[i]);
		fds[i] = dial_port(port, 1 + (uint32_t)i % n_addresses);
		if (fds[i] < 0)
			usleep(1000);
		else
			send(fds[i], "\x16\x03\x01\x02\x00\x01", 6,
			    MSG_NOSIGNAL);
	}
}

/* At a socket of control's places are counted by user, and root has to be
   served. */
static void
become_nobody(void)
{
	if (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
		fail("cannot become nobody");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* What is sent: the text again and again, or a request of control's that says
   that it is long. */
static char
nth(const char *where, const char *text, size_t n)
{
	static const char head[] = { 0, 0, 0x7f, 0x7f };

	if (where[0] != '/')
		return text[n % strlen(text)];
	return n < sizeof(head) ? head[n] : 'x';
}

static void
slow(const char *where, const char *text)
{
	size_t at[100] = { 0 };
	int fds[nitems(at)];

	if (where[0] == '/')
		become_nobody();
	memset(fds, -1, sizeof(fds));
	for (;;) {
		for (size_t i = 0; i < nitems(fds); i++) {
			if (fds[i] < 0) {
				fds[i] = dial(where);
				at[i] = 0;
			}
			char c = nth(where, text, at[i]++);

			if (fds[i] >= 0 &&
			    send(fds[i], &c, 1, MSG_NOSIGNAL | MSG_DONTWAIT) !=
				1) {
				close(fds[i]);
				fds[i] = -1;
			}
		}
		sleep(1);
	}
}

static void
large(const char *where)
{
	static char bytes[64 * 1024];

	if (where[0] == '/')
		become_nobody();
	memset(bytes, 0x41, sizeof(bytes));
	for (int i = 0; i < 1; i++) {
		if (fork() == 0)
			break;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int fd = dial(where);

		while (
		    fd >= 0 && send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL) > 0)
			;
		if (fd >= 0)
			close(fd);
		usleep(10000);
	}
}

/* A call that has ended is made again. */

static struct rpc_client *client;

static int make_call(void *self, struct err *err);

static int
on_done(void *self, enum rpc_status status, const char *text,
    const struct rpc_msg *reply, struct err *err)
{
	(void)status;
	(void)text;
	(void)reply;
	return make_call(self, err);
}

static int
make_call(void *self, struct err *err)
{
	static const struct rpc_msg nothing = { .data = "" };

	return rpc_client_call(client, RPC_NEXT, &nothing, CALL_MS, on_done,
		   self, err) != NULL
	    ? 0
	    : -1;
}

static char *
read_pem(const char *dir, const char *name)
{
	char path[4096];
	struct err err;
	size_t len;
	char *pem;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if ((pem = (char *)file_read(path, 1 << 20, &len, &err)) == NULL)
		fail(err.msg);
	return pem;
}

static void
calls(const char *port, const char *keys)
{
	struct rpc_tls tls = { read_pem(keys, "ca.crt"),
		read_pem(keys, "tls.crt"), read_pem(keys, "tls.key") };
	char address[32];
	struct rpc_loop *loop;
	struct err err;

	snprintf(address, sizeof(address), "127.0.0.1:%s", port);
	if ((loop = rpc_loop_new(NULL, &err)) == NULL ||
	    (client = rpc_client_new(loop, address, NULL, NULL, &tls, &err)) ==
		NULL)
		fail(err.msg);
	for (int i = 0; i < CALLS; i++) {
		if (make_call(NULL, &err) < 0)
			fail(err.msg);
	}
	if (rpc_loop_run(loop, &err) < 0)
		fail(err.msg);
}

static void
ask(const char *socket_path)
{
	become_nobody();
	for (int i = 0; i < 9; i++) {
		if (fork() == 0)
			break;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		struct ctl_reply r;
		struct err err;

		if (ctl_call(socket_path, "status", NULL, NULL, 0, &r, &err) ==
		    0)
			ctl_reply_free(&r);
	}
}

static int
get(const char *port)
{
	static const char request[] =
	    "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
	char answer[256] = "";
	int fd = dial(port);

	if (fd < 0 ||
	    send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0 ||
	    recv(fd, answer, sizeof(answer) - 1, MSG_WAITALL) <= 0)
		return 1;
	printf("%.*s\n", (int)strcspn(answer, "\r\n"), answer);
	return strncmp(answer, "HTTP/1.1 200 ", 13) != 0;
}

int
main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (argc == 4 && strcmp(argv[1], "half") == 0)
		half((uint32_t)atoi(argv[2]), (uint16_t)atoi(argv[3]));
	if (argc == 4 && strcmp(argv[1], "slow") == 0)
		slow(argv[2], argv[3]);
	if (argc == 3 && strcmp(argv[1], "large") == 0)
		large(argv[2]);
	if (argc == 4 && strcmp(argv[1], "calls") == 0)
		calls(argv[2], argv[3]);
	if (argc == 3 && strcmp(argv[1], "ask") == 0)
		ask(argv[2]);
	if (argc == 3 && strcmp(argv[1], "get") == 0)
		return get(argv[2]);
	fail("half, slow, large, calls, ask or get");
}
