/*
 * A daemon's own TLS files, in its folder of keys: tls.key, tls.crt, ca.crt.
 * A peer that does not like them only closes the connection, so each side
 * checks its own, at start, when they change, and daily.
 */
#ifndef CRYPTO_CERT_OWN_H
#define CRYPTO_CERT_OWN_H

#include <stdint.h>

#include "crypto/cert.h"

#define CERT_WARN_DAYS 30

/* As cert_check(); and the certificate is for the member of that name (NULL:
   any), if it says for whom it is.  *until is the last second of it, UTC. */
int cert_check_own(const char *tls_crt, const char *tls_key, const char *ca_crt,
    const char *name, int64_t now, int64_t *until, struct err *err);

#endif
