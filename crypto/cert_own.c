#include "crypto/cert_own.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/file.h"
#include "common/macros.h"

#define PEM_MAX ((size_t)64 * 1024)

int
cert_check_own(const char *keys, int64_t now, int64_t *until, struct err *err)
{
	static const char *const names[] = { "tls.crt", "tls.key", "ca.crt" };
	char paths[nitems(names)][4096];
	uint8_t *texts[nitems(names)] = { NULL };
	struct cert_pem pems[nitems(names)];
	struct cert_info info;
	int rc = -1;

	for (size_t i = 0; i < nitems(names); i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s/%s", keys, names[i]);
		texts[i] = file_read(paths[i], PEM_MAX, &pems[i].len, err);
		if (texts[i] == NULL)
			goto out;
		pems[i].name = paths[i];
		pems[i].pem = (const char *)texts[i];
	}
	if (cert_check(pems[0], pems[1], pems[2], now, &info, err) < 0)
		goto out;
	*until = info.life.until;
	rc = 0;
out:
	for (size_t i = 0; i < nitems(names); i++) {
		if (texts[i] != NULL)
			explicit_bzero(texts[i], pems[i].len);
		free(texts[i]);
	}
	return rc;
}
