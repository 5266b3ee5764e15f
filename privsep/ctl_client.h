/*
 * The client's end of a daemon's control socket (proto/control.proto), for
 * consiliumctl: one call, one connection.
 */
#ifndef PRIVSEP_CTL_CLIENT_H
#define PRIVSEP_CTL_CLIENT_H

#include <stddef.h>

#include "privsep/ctl_msg.h"

/* Where the units of systemd listen, and consiliumctl asks. */
#define CTL_SITE_SOCKET "/run/consilium/control.sock"
#define CTL_COORDINATOR_SOCKET "/run/consilium-coordinator/control.sock"

/*
 * Ask the daemon behind socket_path.  study may be NULL, body NULL with 0.
 * -1 if there was no answer (ERR_SYSTEM: nobody listens there; ERR_PEER).
 * 0 if there was one: reply->code and reply->error say whether it was done,
 * and ctl_reply_free() ends it.
 */
int ctl_call(const char *socket_path, const char *command, const char *study,
    const void *body, size_t len, struct ctl_reply *reply, struct err *err);

#endif
