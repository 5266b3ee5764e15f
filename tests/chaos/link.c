/*
 * A bad line between a site and the coordinator: it listens on a free port of
 * ADDRESS (or the loopback), which it prints, and passes bytes on to the
 * loopback's PORT.
 *
 *     link PORT KBIT DELAY_MS STALL_PPM SEED [ADDRESS]
 *
 * Each direction of each connection has at most KBIT kbit/s and is DELAY_MS
 * late; each piece stalls for a second with probability STALL_PPM / 10^6, as a
 * lost packet does that is sent again.  SIGUSR1 cuts the line, so that nothing
 * comes through and nobody is told; SIGUSR2 mends it.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"

#define CONNECTIONS_MAX 64
#define PIECE 1500

/* What is on its way, one piece after the other. */
struct piece {
	struct piece *next;
	int64_t due_ms;
	size_t len, sent;
	uint8_t data[PIECE];
};

struct way {
	int from, to;
	struct piece *first, **last;
	int64_t free_ms; /* when the line has room again */
	bool ended; /* from has said all that it will */
};

static struct connection {
	bool used;
	struct way way[2];
} connections[CONNECTIONS_MAX];

static unsigned kbit, delay_ms, stall_ppm, seed;
static volatile sig_atomic_t cut;

static void
on_signal(int sig)
{
	cut = sig == SIGUSR1;
}

static void
drop(struct connection *c)
{
	for (size_t i = 0; i < 2; i++) {
		while (c->way[i].first != NULL) {
			struct piece *p = c->way[i].first;

			c->way[i].first = p->next;
			free(p);
		}
	}
	close(c->way[0].from);
	close(c->way[0].to);
	c->used = false;
}

static void
take(struct way *w)
{
	struct piece *p = calloc(1, sizeof(*p));
	int64_t now = clock_mono_ms();
	ssize_t n;

	if (p == NULL)
		abort();
	n = recv(w->from, p->data, PIECE, MSG_DONTWAIT);
	if (n <= 0) {
		free(p);
		if (n == 0 || errno != EAGAIN)
			w->ended = true;
		return;
	}
	p->len = (size_t)n;
	if (w->free_ms < now)
		w->free_ms = now;
	if (kbit != 0)
		w->free_ms += (int64_t)p->len * 8 / kbit;
	if (stall_ppm != 0 && (unsigned)rand_r(&seed) % 1000000 < stall_ppm)
		w->free_ms += 1000;
	p->due_ms = w->free_ms + delay_ms;
	*w->last = p;
	w->last = &p->next;
}

/* 0, or -1 if the connection has ended. */
static int
pass(struct way *w)
{
	while (w->first != NULL && w->first->due_ms <= clock_mono_ms()) {
		struct piece *p = w->first;
		ssize_t n = send(w->to, p->data + p->sent, p->len - p->sent,
		    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		p->sent += (size_t)n;
		if (p->sent < p->len)
			return 0;
		if ((w->first = p->next) == NULL)
			w->last = &w->first;
		free(p);
	}
	return w->ended && w->first == NULL ? -1 : 0;
}

static void
begin(int listener, const struct sockaddr_in *to)
{
	int a = accept(listener, NULL, NULL), b;

	if (a < 0)
		return;
	b = socket(AF_INET, SOCK_STREAM, 0);
	if (b < 0 || connect(b, (const struct sockaddr *)to, sizeof(*to)) < 0) {
		if (b >= 0)
			close(b);
		close(a);
		return;
	}
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *c = &connections[i];

		if (c->used)
			continue;
		memset(c, 0, sizeof(*c));
		c->used = true;
		c->way[0].from = c->way[1].to = a;
		c->way[0].to = c->way[1].from = b;
		c->way[0].last = &c->way[0].first;
		c->way[1].last = &c->way[1].first;
		return;
	}
	close(a);
	close(b);
}

static void
turn(int listener, const struct sockaddr_in *to)
{
	struct pollfd p[1 + 2 * CONNECTIONS_MAX];
	struct way *of[1 + 2 * CONNECTIONS_MAX];
	nfds_t n = 0;

	if (cut) {
		usleep(20000);
		return;
	}
	p[n++] = (struct pollfd){ listener, POLLIN, 0 };
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		for (size_t k = 0; k < 2 && connections[i].used; k++) {
			struct way *w = &connections[i].way[k];

			/* A line takes no more than it can carry soon. */
			if (w->ended || w->free_ms > clock_mono_ms() + 2000)
				continue;
			of[n] = w;
			p[n++] = (struct pollfd){ w->from, POLLIN, 0 };
		}
	}
	poll(p, n, 5);
	for (nfds_t i = 1; i < n; i++) {
		if (p[i].revents != 0)
			take(of[i]);
	}
	if (p[0].revents != 0)
		begin(listener, to);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *c = &connections[i];

		if (c->used && (pass(&c->way[0]) < 0 || pass(&c->way[1]) < 0))
			drop(c);
	}
}

int
main(int argc, char *argv[])
{
	struct sockaddr_in here = { .sin_family = AF_INET }, to;
	socklen_t len = sizeof(here);
	int listener;

	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to = here;
	if (argc < 6 || argc > 7 ||
	    (argc == 7 && inet_aton(argv[6], &here.sin_addr) == 0)) {
		fprintf(stderr,
		    "usage: link PORT KBIT DELAY_MS STALL_PPM SEED "
		    "[ADDRESS]\n");
		return 2;
	}
	to.sin_port = htons((uint16_t)atoi(argv[1]));
	kbit = (unsigned)atoi(argv[2]);
	delay_ms = (unsigned)atoi(argv[3]);
	stall_ppm = (unsigned)atoi(argv[4]);
	seed = (unsigned)atoi(argv[5]);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGUSR1, on_signal);
	signal(SIGUSR2, on_signal);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (listener < 0 ||
	    bind(listener, (struct sockaddr *)&here, sizeof(here)) < 0 ||
	    listen(listener, 16) < 0 ||
	    getsockname(listener, (struct sockaddr *)&here, &len) < 0) {
		perror("link");
		return 1;
	}
	printf("%u\n", ntohs(here.sin_port));
	fflush(stdout);
	for (;;)
		turn(listener, &to);
}
