#include "crypto/cert_own.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/file.h"
#include "common/macros.h"

#define PEM_MAX ((size_t)64 * 1024)

int
cert_check_own(const char *tls_crt, const char *tls_key, const char *ca_crt,
    const char *name, int64_t now, int64_t *until, struct err *err)
{
	struct cert_pem pems[] = { { .name = tls_crt }, { .name = tls_key },
		{ .name = ca_crt } };
	uint8_t *texts[nitems(pems)] = { NULL };
	struct cert_info info;
	int rc = -1;

	for (size_t i = 0; i < nitems(pems); i++) {
		texts[i] = file_read(pems[i].name, PEM_MAX, &pems[i].len, err);
		if (texts[i] == NULL)
			goto out;
		pems[i].pem = (const char *)texts[i];
	}
	if (cert_check(pems[0], pems[1], pems[2], now, &info, err) < 0)
		goto out;
	if (name != NULL && info.name[0] != '\0' &&
	    strcmp(info.name, name) != 0) {
		err_set(err, ERR_CONFIG,
		    "%s: issued to %s, and the configuration has name = %s",
		    tls_crt, info.name, name);
		goto out;
	}
	*until = info.life.until;
	rc = 0;
out:
	for (size_t i = 0; i < nitems(pems); i++) {
		if (texts[i] != NULL)
			explicit_bzero(texts[i], pems[i].len);
		free(texts[i]);
	}
	return rc;
}
