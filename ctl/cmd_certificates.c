/*
 * A member's own certificate, looked at from outside of the daemon: what a
 * timer runs once a day, so that a failed unit says it before sites are cut off.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "crypto/cert_own.h"
#include "crypto/join.h"
#include "ctl/ctl.h"

static char *
read_pem(const char *path, struct cert_pem *pem, struct err *err)
{
	char *text;

	text = (char *)file_read(path, JOIN_PEM_MAX, &pem->len, err);
	pem->name = path;
	pem->pem = text;
	return text;
}

/*
 * Where tls.key is a credential that only the daemon's unit has: the
 * certificate is of the key that the request to join was made with.
 */
static int
check_by_request(const char *crt, const char *ca_crt, const char *request,
    int64_t now, int64_t *until, struct err *err)
{
	const struct cert_pem no_key = { 0 };
	struct join_request r = { 0 };
	struct cert_pem cert, ca;
	char *cert_text, *ca_text = NULL;
	uint8_t spki[CERT_SPKI];
	struct cert_info info;
	int rv = -1;

	if ((cert_text = read_pem(crt, &cert, err)) == NULL ||
	    (ca_text = read_pem(ca_crt, &ca, err)) == NULL ||
	    cert_check(cert, no_key, ca, now, &info, err) < 0 ||
	    ctl_join_request(request, &r, err) < 0 ||
	    cert_spki_hash(r.spki, r.spki_len, spki, err) < 0)
		goto out;
	*until = info.life.until;
	rv = memcmp(spki, info.spki, CERT_SPKI) == 0
	    ? 0
	    : err_set(err, ERR_CONFIG, "%s: does not belong to the key of %s",
		  crt, request);
out:
	free(cert_text);
	free(ca_text);
	return rv;
}

int
ctl_certificates_check(const struct ctl_args *a, struct err *err)
{
	const char *dir = a->opt[CTL_DIR];
	const char *crt = ctl_path(dir, "tls.crt", err);
	const char *key = ctl_path(dir, "tls.key", err);
	const char *ca = ctl_path(dir, "ca.crt", err);
	const char *request = ctl_path(dir, "request", err);
	int64_t now = clock_utc(), until, days;
	char when[CLOCK_TEXT_SIZE];
	int rv;

	if (crt == NULL || key == NULL || ca == NULL || request == NULL)
		return -1;
	rv = access(key, R_OK) == 0
	    ? cert_check_own(crt, key, ca, NULL, now, &until, err)
	    : check_by_request(crt, ca, request, now, &until, err);
	if (rv < 0)
		return -1;
	days = (until - now) / CERT_DAY;
	clock_text(until, when);
	printf("%s: valid until %s, %" PRId64 " day%s\n", crt, when, days,
	    days == 1 ? "" : "s");
	if (days < CERT_WARN_DAYS)
		return err_set(err, ERR_CONFIG,
		    "%s expires in %" PRId64 " day%s: send %s to the "
		    "consortium's root once more",
		    crt, days, days == 1 ? "" : "s", request);
	return 0;
}
