/*
 * expired ROOT KEYS: issue the TLS certificate of a member anew, from its own
 * request and by the consortium's own CA, for a time that has passed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "crypto/cert.h"

static uint8_t *
load(const char *dir, const char *name, size_t *len)
{
	char path[4096];
	struct err err;
	uint8_t *text;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	text = file_read(path, JOIN_MAX, len, &err);
	if (text == NULL) {
		fprintf(stderr, "expired: %s\n", err.msg);
		exit(1);
	}
	return text;
}

int
main(int argc, char **argv)
{
	int64_t now = clock_utc();
	struct cert_life life = { now - 20 * CERT_DAY, now - CERT_DAY };
	struct cert_pem ca = { .name = "ca.crt" };
	static struct join_request request;
	struct canon out = { 0 };
	struct cert_key *key;
	uint8_t *object, *pem;
	char path[4096];
	struct err err;
	size_t len;

	if (argc != 3)
		return 2;
	object = load(argv[2], "request", &len);
	pem = load(argv[1], "ca.crt", &ca.len);
	ca.pem = (const char *)pem;
	snprintf(path, sizeof(path), "%s/ca.key", argv[1]);
	if (join_request_open(object, len, &request, &err) < 0 ||
	    (key = cert_key_load(path, &err)) == NULL ||
	    cert_issue(key, ca, "local", &request, life, &out, &err) < 0)
		goto bad;
	snprintf(path, sizeof(path), "%s/tls.crt", argv[2]);
	unlink(path);
	if (file_create(path, out.data, out.len, 0444, &err) < 0)
		goto bad;
	cert_key_free(key);
	canon_free(&out);
	free(object);
	free(pem);
	return 0;
bad:
	fprintf(stderr, "expired: %s\n", err.msg);
	return 1;
}
