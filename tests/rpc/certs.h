/* A consortium's certificates for a test, as PEM texts with a NUL. */
#ifndef TESTS_RPC_CERTS_H
#define TESTS_RPC_CERTS_H

#include <stdint.h>

#include "rpc/msg.h"

struct certs {
	char *ca; /* the CA's certificate */
	char *host, *host_key; /* the coordinator's, for 127.0.0.1 */
	char *site, *site_key;
	char *old; /* the site's, expired yesterday */
	char *brief; /* the site's, for ten days */
	uint8_t site_spki[32];
};

/* Makes keys; ends the test if that fails. */
void certs_make(struct certs *c, const char *consortium);
void certs_free(struct certs *c);

/* The coordinator's end and the site's. */
struct rpc_tls certs_host(const struct certs *c);
struct rpc_tls certs_site(const struct certs *c);

#endif
