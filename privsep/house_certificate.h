/*
 * A parent's look at its own TLS certificate: at the start, when it is
 * exchanged, and once a day.
 */
#ifndef PRIVSEP_HOUSE_CERTIFICATE_H
#define PRIVSEP_HOUSE_CERTIFICATE_H

#include <stdint.h>

struct err;

/* Is the one among keys good, and that of who has this name?  *until is its
   last second (UTC); that it expires soon is logged. */
int house_certificate(
    const char *keys, const char *name, int64_t *until, struct err *err);
/* The same; that it is not good is logged. */
void house_certificate_daily(
    const char *keys, const char *name, int64_t *until);

#endif
