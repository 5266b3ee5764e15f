/*
 * The frames of the control socket: four bytes of length, big-endian, and a
 * message of proto/control.proto.  The only includer of what comes of that.
 */
#ifndef PRIVSEP_CTL_WIRE_H
#define PRIVSEP_CTL_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "privsep/ctl_msg.h"

struct canon;

#define CTL_WIRE_HEAD 4
/* Of a message without its head: the limits of its parts, and their names. */
#define CTL_WIRE_REQUEST_MAX (CTL_BODY_MAX + 1024)
#define CTL_WIRE_REPLY_MAX (CTL_REPLY_MAX + 1024 * 1024)

uint32_t ctl_wire_len(const uint8_t head[CTL_WIRE_HEAD]);

/* Both with the head.  r's roles and uid do not travel. */
int ctl_wire_request_write(
    const struct ctl_request *r, struct canon *out, struct err *err);
int ctl_wire_reply_write(
    const struct ctl_reply *r, struct canon *out, struct err *err);

/* Both without it.  A request's body is copied to *body, which the caller
   frees; a reply ends with ctl_reply_free(), also after an error. */
int ctl_wire_request_read(const void *data, size_t len, struct ctl_request *r,
    uint8_t **body, struct err *err);
int ctl_wire_reply_read(
    const void *data, size_t len, struct ctl_reply *r, struct err *err);

#endif
