/*
 * A member's own certificate, looked at from outside of the daemon: what a
 * timer runs once a day, so that a failed unit says it before sites are cut off.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

	if (path == NULL)
		return NULL;
	text = (char *)file_read(path, JOIN_PEM_MAX, &pem->len, err);
	pem->name = path;
	pem->pem = text;
	return text;
}

/* The key may be a credential that only the daemon's unit has: the daemon
   itself sees that it is the certificate's. */
int
ctl_certificates_check(const struct ctl_args *a, struct err *err)
{
	const struct cert_pem no_key = { 0 };
	struct cert_pem cert, ca;
	char *cert_text, *ca_text = NULL, when[CLOCK_TEXT_SIZE];
	int64_t now = clock_utc(), days;
	struct cert_info info;
	int rv = -1;

	cert_text =
	    read_pem(ctl_path(a->opt[CTL_DIR], "tls.crt", err), &cert, err);
	if (cert_text != NULL)
		ca_text = read_pem(
		    ctl_path(a->opt[CTL_DIR], "ca.crt", err), &ca, err);
	if (ca_text == NULL ||
	    cert_check(cert, no_key, ca, now, &info, err) < 0)
		goto out;
	days = (info.life.until - now) / CERT_DAY;
	clock_text(info.life.until, when);
	printf("%s: valid until %s, %" PRId64 " days\n", cert.name, when, days);
	if (days < CERT_WARN_DAYS)
		err_set(err, ERR_CONFIG,
		    "%s expires in %" PRId64 " days: send %s/request to the "
		    "consortium's root once more",
		    cert.name, days, a->opt[CTL_DIR]);
	else
		rv = 0;
out:
	free(cert_text);
	free(ca_text);
	return rv;
}
