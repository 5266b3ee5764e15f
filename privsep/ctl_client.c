#include "config.h"

#include "privsep/ctl_client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/err.h"
#include "privsep/ctl_wire.h"

#define WAIT_S 180 /* longer than the daemon lets a request wait */

static int
dial(const char *path, struct err *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct timeval wait = { .tv_sec = WAIT_S };
	int fd;

	if (strlen(path) >= sizeof(sun.sun_path))
		return err_set(err, ERR_CONFIG, "%s: path too long", path);
	memcpy(sun.sun_path, path, strlen(path));
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
		return err_sys(err, "socket");
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		if (errno == EACCES)
			err_sys(err,
			    "%s: be root, or in a group that the daemon's "
			    "configuration names",
			    path);
		else
			err_sys(err, "no daemon at %s", path);
		close(fd);
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	return fd;
}

static int
send_all(int fd, const uint8_t *p, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
recv_all(int fd, uint8_t *p, size_t len)
{
	bool was_reset = false;

	while (len > 0) {
		ssize_t n = recv(fd, p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		/* It did not read all of the request; what it had to say is
		   behind that error. */
		if (n < 0 && errno == ECONNRESET && !was_reset) {
			was_reset = true;
			continue;
		}
		if (n == 0)
			errno = ECONNRESET;
		if (n <= 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
receive_reply(int fd, struct ctl_reply *reply, struct err *err)
{
	uint8_t head[CTL_WIRE_HEAD], *p;
	uint32_t len;
	int rc;

	if (recv_all(fd, head, sizeof(head)) < 0)
		return err_sys(err, "no answer from the daemon");
	len = ctl_wire_len(head);
	if (len > CTL_WIRE_REPLY_MAX)
		return err_set(
		    err, ERR_PEER, "the daemon answers with %u bytes", len);
	if ((p = malloc(len + 1)) == NULL)
		return err_sys(err, "answer of %u bytes", len);
	if (recv_all(fd, p, len) < 0)
		rc = err_sys(err, "the daemon's answer is cut short");
	else
		rc = ctl_wire_reply_read(p, len, reply, err);
	free(p);
	return rc;
}

int
ctl_call(const char *socket_path, const char *command, const char *study,
    const void *body, size_t len, struct ctl_reply *reply, struct err *err)
{
	struct ctl_request r = { .body = body, .body_len = len };
	struct canon out = { 0 };
	int fd = -1, rc = -1;

	*reply = (struct ctl_reply){ 0 };
	if (len > CTL_BODY_MAX || strlen(command) >= sizeof(r.command) ||
	    (study != NULL && strlen(study) >= sizeof(r.study)))
		return err_set(err, ERR_CONFIG,
		    "%s: more than a daemon can be asked", command);
	memcpy(r.command, command, strlen(command));
	if (study != NULL)
		memcpy(r.study, study, strlen(study));
	if (ctl_wire_request_write(&r, &out, err) < 0 ||
	    (fd = dial(socket_path, err)) < 0)
		goto out;
	/* A daemon that refuses may close before it has read all of it, and
	   its answer is there nevertheless. */
	if (send_all(fd, out.data, out.len) < 0 && errno != EPIPE &&
	    errno != ECONNRESET) {
		err_sys(err, "ask %s", socket_path);
		goto out;
	}
	if (receive_reply(fd, reply, err) < 0)
		err_prefix(err, "%s", socket_path);
	else
		rc = 0;
out:
	if (rc < 0)
		ctl_reply_free(reply);
	if (fd >= 0)
		close(fd);
	canon_free(&out);
	return rc;
}
