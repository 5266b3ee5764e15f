#include "config.h"

#include "privsep/chan.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/macros.h"

#define MAGIC 0x434f4e53 /* CONS */
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* A reader that is this far behind is not coming back. */
#define QUEUE_MESSAGES_MAX 4096
#define QUEUE_BYTES_MAX ((size_t)64 * 1024 * 1024)

enum {
	FLAG_MEMFD = 1, /* the first descriptor is the payload */
	FLAG_FD = 2, /* the last one is the message's own */
};

/* Both ends are of one build on one machine: host byte order. */
struct head {
	uint32_t magic;
	uint16_t type;
	uint16_t flags;
	uint64_t tag;
	uint64_t len;
};

/* A message that could not be sent at once. */
struct queued {
	struct queued *next;
	struct head head;
	uint8_t *payload; /* NULL with FLAG_MEMFD */
	int fds[2];
	size_t n_fds;
};

struct chan {
	int fd;
	enum proc peer;
	bool closed; /* nothing more will come */
	bool deaf; /* nothing more will be read over there */
	struct queued *first, **last;
	size_t n_queued, queued_bytes;
};

int
chan_pair(int fds[2], struct err *err)
{
	int type = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;

	if (socketpair(AF_UNIX, type, 0, fds) < 0)
		return err_sys(err, "socketpair");
	return 0;
}

struct chan *
chan_new(int fd, enum proc peer, struct err *err)
{
	struct chan *c = calloc(1, sizeof(*c));
	int flags = fcntl(fd, F_GETFL);

	if (c == NULL || flags < 0 ||
	    fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
		err_sys(err, "channel to %s", proc_name(peer));
		free(c);
		close(fd);
		return NULL;
	}
	c->fd = fd;
	c->peer = peer;
	c->last = &c->first;
	return c;
}

static void
queue_pop(struct chan *c)
{
	struct queued *q = c->first;

	c->first = q->next;
	if (c->first == NULL)
		c->last = &c->first;
	c->n_queued--;
	if (q->payload != NULL) {
		c->queued_bytes -= q->head.len;
		explicit_bzero(q->payload, q->head.len);
		free(q->payload);
	}
	for (size_t i = 0; i < q->n_fds; i++)
		close(q->fds[i]);
	free(q);
}

void
chan_free(struct chan *c)
{
	if (c == NULL)
		return;
	while (c->first != NULL)
		queue_pop(c);
	close(c->fd);
	free(c);
}

int
chan_fd(const struct chan *c)
{
	return c->fd;
}

enum proc
chan_peer(const struct chan *c)
{
	return c->peer;
}

short
chan_events(const struct chan *c)
{
	return c->first != NULL ? POLLIN | POLLOUT : POLLIN;
}

bool
chan_closed(const struct chan *c)
{
	return c->closed;
}

/* 1: sent, or nobody is there to read it; 0: not now; -1: never. */
static int
send_now(struct chan *c, const struct head *h, const void *payload,
    const int *fds, size_t n_fds, struct err *err)
{
	union {
		char buf[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov[2] = { { 0 } };
	struct msghdr mh = { .msg_iov = iov, .msg_iovlen = 1 };
	struct cmsghdr *cm;

	/* sendmsg() only reads what iov points to. */
	memcpy(&iov[0].iov_base, &h, sizeof(h));
	iov[0].iov_len = sizeof(*h);
	if (payload != NULL && h->len > 0) {
		memcpy(&iov[1].iov_base, &payload, sizeof(payload));
		iov[1].iov_len = h->len;
		mh.msg_iovlen = 2;
	}
	if (n_fds > 0) {
		mh.msg_control = control.buf;
		mh.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(cm), fds, n_fds * sizeof(int));
	}
	for (;;) {
		if (sendmsg(c->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 1;
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN || errno == ENOBUFS)
			return 0;
		if (errno == EPIPE || errno == ECONNRESET) {
			c->deaf = true;
			return 1;
		}
		return err_sys(err, "send %s to %s", msg_name(h->type),
		    proc_name(c->peer));
	}
}

static int
enqueue(struct chan *c, const struct head *h, const void *payload,
    const int *fds, size_t n_fds, struct err *err)
{
	struct queued *q;
	size_t bytes = payload != NULL ? h->len : 0;

	if (c->n_queued >= QUEUE_MESSAGES_MAX ||
	    c->queued_bytes + bytes > QUEUE_BYTES_MAX)
		return err_set(err, ERR_PEER,
		    "%s does not read: %zu messages wait for it",
		    proc_name(c->peer), c->n_queued);
	if ((q = calloc(1, sizeof(*q))) == NULL)
		return err_sys(err, "queue %s", msg_name(h->type));
	q->head = *h;
	for (; q->n_fds < n_fds; q->n_fds++) {
		int fd = fcntl(fds[q->n_fds], F_DUPFD_CLOEXEC, 3);

		if (fd < 0)
			goto fail;
		q->fds[q->n_fds] = fd;
	}
	if (bytes > 0) {
		if ((q->payload = malloc(bytes)) == NULL)
			goto fail;
		memcpy(q->payload, payload, bytes);
		c->queued_bytes += bytes;
	}
	*c->last = q;
	c->last = &q->next;
	c->n_queued++;
	return 0;
fail:
	err_sys(err, "queue %s", msg_name(h->type));
	while (q->n_fds > 0)
		close(q->fds[--q->n_fds]);
	free(q);
	return -1;
}

int
chan_flush(struct chan *c, struct err *err)
{
	while (c->first != NULL) {
		struct queued *q = c->first;
		int rc = 1;

		if (!c->deaf)
			rc = send_now(
			    c, &q->head, q->payload, q->fds, q->n_fds, err);
		if (rc <= 0)
			return rc;
		queue_pop(c);
	}
	return 0;
}

int
chan_send(struct chan *c, enum msg_type type, uint64_t tag, const void *payload,
    size_t len, int fd, struct err *err)
{
	struct head h = { MAGIC, (uint16_t)type, 0, tag, len };
	int fds[2], memfd = -1, rc = -1;
	size_t n_fds = 0;

	if (c->deaf)
		return 0;
	if (len > CHAN_MAX)
		return err_set(err, ERR_PEER, "%s of %zu bytes to %s",
		    msg_name(type), len, proc_name(c->peer));
	if (len > CHAN_INLINE) {
		memfd = memfd_seal(msg_name(type), payload, len, err);
		if (memfd < 0)
			return -1;
		h.flags |= FLAG_MEMFD;
		fds[n_fds++] = memfd;
		payload = NULL;
	}
	if (fd >= 0) {
		h.flags |= FLAG_FD;
		fds[n_fds++] = fd;
	}
	if (chan_flush(c, err) < 0)
		goto out;
	rc = c->first != NULL ? 0 : send_now(c, &h, payload, fds, n_fds, err);
	if (rc == 0)
		rc = enqueue(c, &h, payload, fds, n_fds, err);
	else if (rc > 0)
		rc = 0;
out:
	if (memfd >= 0)
		close(memfd);
	return rc;
}

int
chan_send_canon(struct chan *c, enum msg_type type, uint64_t tag,
    struct canon *payload, struct err *err)
{
	int rc;

	if (payload->failed)
		rc = err_set(err, ERR_SYSTEM, "%s to %s: out of memory",
		    msg_name(type), proc_name(c->peer));
	else
		rc = chan_send(
		    c, type, tag, payload->data, payload->len, -1, err);
	canon_free(payload);
	return rc;
}

int
chan_drain(struct chan *c, int timeout_ms, struct err *err)
{
	int64_t end = clock_mono_ms() + timeout_ms;

	for (;;) {
		struct pollfd p = { c->fd, POLLOUT, 0 };
		int64_t left = end - clock_mono_ms();

		if (chan_flush(c, err) < 0)
			return -1;
		if (c->first == NULL)
			return 0;
		if (left <= 0)
			return err_set(err, ERR_PEER, "%s does not read",
			    proc_name(c->peer));
		poll(&p, 1, (int)left);
	}
}

/* All descriptors that came, at most max; the others are closed. */
static size_t
take_fds(struct msghdr *mh, int *fds, size_t max)
{
	size_t n = 0;

	for (struct cmsghdr *cm = CMSG_FIRSTHDR(mh); cm != NULL;
	     cm = CMSG_NXTHDR(mh, cm)) {
		size_t here;

		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		here = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < here; i++) {
			int fd;

			memcpy(
			    &fd, CMSG_DATA(cm) + i * sizeof(int), sizeof(fd));
			if (n < max)
				fds[n++] = fd;
			else
				close(fd);
		}
	}
	return n;
}

/* The head says what must have come with it. */
static int
check_head(const struct chan *c, const struct head *h, size_t got, int flags,
    size_t n_fds, struct err *err)
{
	bool memfd = (h->flags & FLAG_MEMFD) != 0;
	size_t due = (memfd ? 1 : 0) + ((h->flags & FLAG_FD) != 0 ? 1 : 0);

	if (got < sizeof(*h) || h->magic != MAGIC || h->type == MSG_NONE ||
	    h->type >= MSG_COUNT || (h->flags & ~(FLAG_MEMFD | FLAG_FD)) != 0 ||
	    (flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || n_fds != due)
		return err_set(err, ERR_PEER, "broken message from %s",
		    proc_name(c->peer));
	if (h->len > CHAN_MAX || (memfd && h->len <= CHAN_INLINE) ||
	    got - sizeof(*h) != (memfd ? 0 : h->len))
		return err_set(err, ERR_PEER,
		    "%s from %s says a wrong length of %llu bytes",
		    msg_name(h->type), proc_name(c->peer),
		    (unsigned long long)h->len);
	return 0;
}

/* The payload, from the buffer or the memfd. */
static int
take_payload(struct msg *m, const struct head *h, const uint8_t *buf, int memfd,
    struct err *err)
{
	m->type = h->type;
	m->tag = h->tag;
	m->len = h->len;
	m->data = (const uint8_t *)"";
	if ((h->flags & FLAG_MEMFD) != 0) {
		m->held = memfd_map(memfd, h->len, err);
		m->mapped = true;
	} else if (h->len > 0) {
		if ((m->held = malloc(h->len)) != NULL)
			memcpy(m->held, buf, h->len);
		else
			err_sys(err, "%s", msg_name(h->type));
	} else {
		return 0;
	}
	if (m->held == NULL)
		return err_prefix(
		    err, "%s from %s", msg_name(h->type), proc_name(m->from));
	m->data = m->held;
	return 0;
}

int
chan_recv(struct chan *c, struct msg *m, struct err *err)
{
	union {
		char buf[CMSG_SPACE(4 * sizeof(int))];
		struct cmsghdr align;
	} control;
	uint8_t buf[CHAN_INLINE];
	struct head h = { 0 };
	struct iovec iov[2] = { { &h, sizeof(h) }, { buf, sizeof(buf) } };
	struct msghdr mh;
	int fds[2] = { -1, -1 }, rc = -1;
	size_t n_fds;
	ssize_t n;

	*m = (struct msg){ .from = c->peer, .fd = -1 };
	if (c->closed)
		return 0;
	do {
		mh = (struct msghdr){ .msg_iov = iov,
			.msg_iovlen = 2,
			.msg_control = control.buf,
			.msg_controllen = sizeof(control.buf) };
		n = recvmsg(c->fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		/* ECONNRESET comes once, ahead of what is still to be read. */
	} while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n < 0)
		return err_sys(err, "receive from %s", proc_name(c->peer));
	if (n == 0) {
		c->closed = true;
		return 0;
	}
	n_fds = take_fds(&mh, fds, nitems(fds));
	if (check_head(c, &h, (size_t)n, mh.msg_flags, n_fds, err) < 0 ||
	    take_payload(m, &h, buf, fds[0], err) < 0)
		goto out;
	if ((h.flags & FLAG_FD) != 0) {
		m->fd = fds[n_fds - 1];
		fds[n_fds - 1] = -1;
	}
	rc = 1;
out:
	for (size_t i = 0; i < n_fds; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	if (rc < 0)
		msg_free(m);
	return rc;
}

int
chan_wait(struct chan *c, struct msg *m, int timeout_ms, struct err *err)
{
	int64_t end = clock_mono_ms() + timeout_ms;

	for (;;) {
		struct pollfd p = { .fd = c->fd };
		int64_t left = timeout_ms < 0 ? -1 : end - clock_mono_ms();
		int rc;

		if (chan_flush(c, err) < 0)
			return -1;
		rc = chan_recv(c, m, err);
		if (rc != 0 || c->closed)
			return rc;
		if (timeout_ms >= 0 && left <= 0)
			return err_set(err, ERR_PEER, "no answer from %s",
			    proc_name(c->peer));
		p.events = chan_events(c);
		if (poll(&p, 1, (int)left) < 0 && errno != EINTR)
			return err_sys(err, "poll");
	}
}

void
msg_free(struct msg *m)
{
	if (m->mapped && m->held != NULL) {
		munmap(m->held, m->len);
	} else if (m->held != NULL) {
		explicit_bzero(m->held, m->len);
		free(m->held);
	}
	if (m->fd >= 0)
		close(m->fd);
	*m = (struct msg){ .fd = -1 };
}

int
chan_dispatch(const struct handler *table, size_t n, void *self, struct msg *m,
    struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		const struct handler *h = &table[i];

		if (h->type != m->type || h->from != m->from)
			continue;
		if (m->len < h->min || m->len > h->max)
			break;
		return h->fn(self, m, err);
	}
	return err_set(err, ERR_PEER, "%s of %zu bytes from %s is not expected",
	    msg_name(m->type), m->len, proc_name(m->from));
}

int
memfd_seal(const char *name, const void *data, size_t len, struct err *err)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return err_sys(err, "memfd for %s", name);
	if (file_write_all(fd, data, len) < 0 ||
	    fcntl(fd, F_ADD_SEALS, SEALS) < 0) {
		err_sys(err, "memfd for %s of %zu bytes", name, len);
		close(fd);
		return -1;
	}
	return fd;
}

void *
memfd_map(int fd, size_t len, struct err *err)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	void *p;

	if (seals < 0 || (seals & SEALS) != SEALS) {
		err_set(err, ERR_PEER, "memory that is not sealed");
		return NULL;
	}
	if (fstat(fd, &st) < 0 || (uint64_t)st.st_size != len || len == 0) {
		err_set(err, ERR_PEER,
		    "sealed memory of another size than %zu bytes", len);
		return NULL;
	}
	p = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		err_sys(err, "map %zu bytes", len);
		return NULL;
	}
	return p;
}
