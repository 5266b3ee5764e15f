#include "privsep/house_certificate.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/log_events.h"
#include "crypto/cert_own.h"
#include "privsep/house.h"

int
house_certificate(
    const char *keys, const char *name, int64_t *until, struct err *err)
{
	char crt[4096], key[4096], ca[4096];
	int64_t now = clock_utc(), days;

	if (house_key_path(crt, sizeof(crt), keys, "tls.crt", err) < 0 ||
	    house_key_path(key, sizeof(key), keys, "tls.key", err) < 0 ||
	    house_key_path(ca, sizeof(ca), keys, "ca.crt", err) < 0 ||
	    cert_check_own(crt, key, ca, name, now, until, err) < 0)
		return -1;
	days = (*until - now) / CERT_DAY;
	if (days < CERT_WARN_DAYS)
		log_event(EVENT_CERT_SOON, LOG_WARNING, NULL, 0,
		    "%s expires in %lld day%s: have it renewed", crt,
		    (long long)days, days == 1 ? "" : "s");
	return 0;
}

void
house_certificate_daily(const char *keys, const char *name, int64_t *until)
{
	struct err err;

	if (house_certificate(keys, name, until, &err) < 0)
		log_event(EVENT_CERT_BAD, LOG_ERR, NULL, 0, "%s", err.msg);
}
