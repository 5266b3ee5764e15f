#include "config.h"

#include "rpc/door.h"

#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/bucket.h"
#include "common/clock.h"
#include "common/macros.h"

#define FDS_MAX 4096 /* what a listener may have open, at most */
#define BUCKETS 1024
/*
 * So many are not let in at a stroke, then it is the others' turn: gRPC's loop
 * goes on when the next one comes.  As no more wait than that, whoever is left
 * waiting is reached then.
 */
#define TURN 256

/* A connection; its descriptor is where it stands in the table. */
struct place {
	bool taken;
	bool leaving; /* was ended, and gRPC has not closed it yet */
	bool member;
	uint32_t who;
	int64_t since_ms;
	struct in6_addr host;
	uint16_t port;
};

static struct {
	pthread_mutex_t lock;
	struct place places[FDS_MAX];
	int end; /* of those that were ever taken */
	size_t n_taken;
	struct bucket buckets[BUCKETS]; /* of addresses of the same hash */
	uint64_t seed;
	size_t turned_away;
	struct in6_addr last;
} door = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* An IPv4 address is the IPv6 address that is mapped to it. */
static bool
read_address(const struct sockaddr *addr, struct place *p)
{
	if (addr->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)addr;

		memset(&p->host, 0, sizeof(p->host));
		p->host.s6_addr[10] = p->host.s6_addr[11] = 0xff;
		memcpy(&p->host.s6_addr[12], &in->sin_addr, 4);
		p->port = ntohs(in->sin_port);
		return true;
	}
	if (addr->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)addr;

		p->host = in6->sin6_addr;
		p->port = ntohs(in6->sin6_port);
		return true;
	}
	return false;
}

static void
write_host(const struct in6_addr *host, char out[INET6_ADDRSTRLEN])
{
	if (IN6_IS_ADDR_V4MAPPED(host))
		inet_ntop(AF_INET, &host->s6_addr[12], out, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, host, out, INET6_ADDRSTRLEN);
}

/* Who may have any address of a network has one. */
static bool
same_address(const struct in6_addr *a, const struct in6_addr *b)
{
	return memcmp(a, b, IN6_IS_ADDR_V4MAPPED(a) ? 16 : 8) == 0;
}

/* Each bit depends on each (the finish of splitmix64). */
static uint64_t
mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static struct bucket *
bucket_of(const struct in6_addr *host)
{
	uint64_t words[2];

	if (door.seed == 0 &&
	    (getrandom(&door.seed, sizeof(door.seed), 0) < 0 || door.seed == 0))
		door.seed = 1;
	memcpy(words, host, sizeof(words));
	if (!IN6_IS_ADDR_V4MAPPED(host))
		words[1] = 0;
	return &door.buckets[mix(mix(words[0] ^ door.seed) ^ words[1]) %
	    BUCKETS];
}

static bool
comes_too_often(const struct in6_addr *host, int64_t now)
{
	return !bucket_take(
	    bucket_of(host), DOOR_RATE_BURST, DOOR_RATE_PER_S, now);
}

static void
count_away(const struct in6_addr *host)
{
	door.turned_away++;
	door.last = *host;
}

/* Its reader sees the end, and closes it. */
static void
send_away(int fd)
{
	count_away(&door.places[fd].host);
	shutdown(fd, SHUT_RDWR);
	door.places[fd].leaving = true;
}

/* How many there are of the kind that like is of, but for those who leave, and
   which of them came first (-1: there is none). */
typedef bool kind_fn(const struct place *p, const struct place *like);

static size_t
count(kind_fn *of_kind, const struct place *like, int *oldest)
{
	size_t n = 0;

	*oldest = -1;
	for (int fd = 0; fd < door.end; fd++) {
		const struct place *p = &door.places[fd];

		if (!p->taken || p->leaving || !of_kind(p, like))
			continue;
		n++;
		if (*oldest < 0 || p->since_ms < door.places[*oldest].since_ms)
			*oldest = fd;
	}
	return n;
}

static bool
of_address(const struct place *p, const struct place *like)
{
	return !p->member && same_address(&p->host, &like->host);
}

static bool
of_member(const struct place *p, const struct place *like)
{
	return p->member && p->who == like->who;
}

static bool
of_nobody(const struct place *p, const struct place *like)
{
	(void)like;
	return !p->member;
}

static bool
of_all(const struct place *p, const struct place *like)
{
	(void)p;
	(void)like;
	return true;
}

/* Half of the descriptors there may be: what is done for those who came needs
   some, too. */
static size_t
all_max(void)
{
	struct rlimit r = { 0 };

	getrlimit(RLIMIT_NOFILE, &r);
	return MIN(DOOR_ALL_MAX, r.rlim_cur / 2);
}

static bool
make_room(const struct place *like)
{
	size_t max = all_max();
	int fd;

	/* It is for gRPC to close those who leave; until it does, nobody comes. */
	if (door.n_taken >= max + max / 4)
		return false;
	if (count(of_address, like, &fd) >= DOOR_ADDRESS_MAX)
		send_away(fd);
	if (count(of_all, like, &fd) < max)
		return true;
	count(of_nobody, like, &fd);
	if (fd < 0)
		return false;
	send_away(fd);
	return true;
}

static bool
let_in(int fd, const struct sockaddr *addr)
{
	struct place p = { .taken = true, .since_ms = clock_mono_ms() };
	bool in;

	if (addr == NULL || !read_address(addr, &p))
		return true; /* of no network */
	pthread_mutex_lock(&door.lock);
	in = fd < FDS_MAX && !comes_too_often(&p.host, p.since_ms) &&
	    make_room(&p);
	if (in) {
		door.places[fd] = p;
		door.n_taken++;
		door.end = MAX(door.end, fd + 1);
	} else {
		count_away(&p.host);
	}
	pthread_mutex_unlock(&door.lock);
	return in;
}

/*
 * In place of the C library's.  Where there is no descriptor left it says that
 * nobody comes, which the next who comes corrects; every other error has gRPC
 * accept no more.
 */
__attribute__((visibility("default"))) int
accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	socklen_t size = len != NULL ? *len : 0;

	for (int i = 0; i < TURN; i++) {
		int conn;

		if (len != NULL)
			*len = size;
		conn = (int)syscall(SYS_accept4, fd, addr, len, flags);
		if (conn < 0) {
			if (errno != EINTR)
				errno = EAGAIN;
			return -1;
		}
		if (let_in(conn, addr))
			return conn;
		close(conn);
	}
	errno = EAGAIN;
	return -1;
}

/* In place of the C library's: no more wait than a turn may find. */
__attribute__((visibility("default"))) int
listen(int fd, int backlog)
{
	return (int)syscall(SYS_listen, fd, MIN(backlog, TURN));
}

/* In place of the C library's, too: whoever closes a connection leaves. */
__attribute__((visibility("default"))) int
close(int fd)
{
	int rv;

	pthread_mutex_lock(&door.lock);
	if (fd >= 0 && fd < door.end && door.places[fd].taken) {
		door.places[fd].taken = false;
		door.n_taken--;
	}
	rv = (int)syscall(SYS_close, fd);
	pthread_mutex_unlock(&door.lock);
	return rv;
}

static bool
is_peer(const struct place *p, const char *peer)
{
	char host[INET6_ADDRSTRLEN], name[2][INET6_ADDRSTRLEN + 24];

	write_host(&p->host, host);
	if (IN6_IS_ADDR_V4MAPPED(&p->host)) {
		snprintf(name[0], sizeof(name[0]), "ipv4:%s:%u", host, p->port);
		return strcmp(peer, name[0]) == 0;
	}
	snprintf(name[0], sizeof(name[0]), "ipv6:%%5B%s%%5D:%u", host, p->port);
	snprintf(name[1], sizeof(name[1]), "ipv6:[%s]:%u", host, p->port);
	return strcmp(peer, name[0]) == 0 || strcmp(peer, name[1]) == 0;
}

void
door_member(const char *peer, uint32_t who)
{
	const char *colon = strrchr(peer, ':');
	unsigned port = 0;
	int oldest;

	if (colon == NULL || sscanf(colon + 1, "%u", &port) != 1)
		return;
	pthread_mutex_lock(&door.lock);
	for (int fd = 0; fd < door.end; fd++) {
		struct place *p = &door.places[fd];

		struct place as = { .member = true, .who = who };

		if (!p->taken || p->leaving || p->port != port ||
		    !is_peer(p, peer) || of_member(p, &as))
			continue;
		if (count(of_member, &as, &oldest) >= DOOR_MEMBER_MAX)
			send_away(oldest);
		p->member = true;
		p->who = who;
	}
	pthread_mutex_unlock(&door.lock);
}

size_t
door_turned_away(char address[DOOR_ADDRESS_SIZE])
{
	size_t n;

	pthread_mutex_lock(&door.lock);
	n = door.turned_away;
	door.turned_away = 0;
	write_host(&door.last, address);
	pthread_mutex_unlock(&door.lock);
	return n;
}
