#include "ctl/ctl.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/file.h"
#include "crypto/join.h"
#include "crypto/keyfile.h"

int
ctl_number(const char *name, const char *s, uint64_t min, uint64_t max,
    uint64_t *v, struct err *err)
{
	char *end;

	errno = 0;
	*v = strtoull(s, &end, 10);
	if (errno != 0 || *s < '0' || *s > '9' || *end != '\0' || *v < min ||
	    *v > max)
		return err_set(err, ERR_CONFIG,
		    "%s: expected a whole number from %llu to %llu", name,
		    (unsigned long long)min, (unsigned long long)max);
	return 0;
}

/* What ctl_path() has given out. */
static struct kept {
	struct kept *next;
	char path[];
} * kept;

const char *
ctl_path(const char *dir, const char *name, struct err *err)
{
	size_t size = (dir != NULL ? strlen(dir) : 0) + strlen(name) + 2;
	struct kept *k;

	if (size > PATH_MAX) {
		err_set(err, ERR_CONFIG, "%s: the name is too long", name);
		return NULL;
	}
	if ((k = malloc(sizeof(*k) + size)) == NULL) {
		err_sys(err, "%s", name);
		return NULL;
	}
	if (dir == NULL)
		snprintf(k->path, size, "%s", name);
	else
		snprintf(k->path, size, "%s/%s", dir, name);
	k->next = kept;
	kept = k;
	return k->path;
}

void
ctl_paths_free(void)
{
	while (kept != NULL) {
		struct kept *next = kept->next;

		free(kept);
		kept = next;
	}
}

int
ctl_public_key(const char *name, const char *value, uint8_t pk[KEY_PUBLIC],
    struct err *err)
{
	if (strlen(value) != 2 * (size_t)KEY_PUBLIC ||
	    strspn(value, "0123456789abcdefABCDEF") != strlen(value))
		return key_public_load(value, pk, err);
	if (key_public_parse(value, pk, err) < 0)
		return err_prefix(err, "%s", name);
	return 0;
}

int
ctl_join_request(const char *path, struct join_request *r, struct err *err)
{
	size_t len;
	uint8_t *file = file_read(path, JOIN_MAX, &len, err);
	int rv;

	if (file == NULL)
		return -1;
	if ((rv = join_request_open(file, len, r, err)) < 0)
		err_prefix(err, "%s", path);
	free(file);
	return rv;
}
