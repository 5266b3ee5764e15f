/*
 * An audit log, checked and shown by anybody who has the daemon's public key.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/hex.h"
#include "crypto/audit.h"
#include "ctl/ctl.h"

/* What ends a line of a log. */
#define PROOF                                                                  \
	(sizeof(" prev= hash= sig=") - 1 + 4 * AUDIT_HASH + 2 * KEY_SIGNATURE)

/* COUNT or COUNT:HASH, as an earlier run printed it. */
static int
parse_expected(const char *text, struct audit_state *expected, struct err *err)
{
	const char *colon = strchr(text, ':');
	char count[24];

	*expected = (struct audit_state){ 0 };
	snprintf(count, sizeof(count), "%.*s",
	    (int)(colon != NULL ? colon - text : (ptrdiff_t)strlen(text)),
	    text);
	if (ctl_number(
		"--expect", count, 0, UINT64_MAX, &expected->count, err) < 0)
		return -1;
	if (colon != NULL && hex_bytes(colon + 1, expected->head, AUDIT_HASH))
		return err_set(err, ERR_CONFIG,
		    "--expect: expected COUNT:HASH as an earlier \"audit "
		    "verify\" printed it");
	return 0;
}

/* FILE against --public-key and --expect. */
static int
verify(const struct ctl_args *a, struct audit_state *found, struct err *err)
{
	const char *key = a->opt[CTL_PUBLIC_KEY];
	struct audit_state expected = { 0 };
	uint8_t pk[KEY_PUBLIC];

	if (ctl_public_key("--public-key", key, pk, err) < 0)
		return -1;
	if (a->opt[CTL_EXPECT] != NULL &&
	    parse_expected(a->opt[CTL_EXPECT], &expected, err) < 0)
		return -1;
	return audit_verify(a->operand, pk, &expected, found, err);
}

int
ctl_audit_verify(const struct ctl_args *a, struct err *err)
{
	struct audit_state found;
	char hex[2 * AUDIT_HASH + 1];

	if (verify(a, &found, err) < 0)
		return -1;
	hex_text(found.head, AUDIT_HASH, hex);
	printf("%s: %" PRIu64 " lines, all as they were written\n%" PRIu64
	       ":%s\n",
	    a->operand, found.count, found.count, hex);
	return 0;
}

/* The lines that were verified, without what proves them; a daemon may have
   added more meanwhile. */
int
ctl_audit_show(const struct ctl_args *a, struct err *err)
{
	static char line[AUDIT_LINE_MAX + 1];
	struct audit_state found;
	size_t len;
	FILE *f;

	if (verify(a, &found, err) < 0)
		return -1;
	if ((f = fopen(a->operand, "re")) == NULL)
		return err_sys(err, "open %s", a->operand);
	for (uint64_t i = 0; i < found.count; i++) {
		if (fgets(line, sizeof(line), f) == NULL)
			break;
		len = strcspn(line, "\n");
		if (len > PROOF)
			printf("%.*s\n", (int)(len - PROOF), line);
	}
	fclose(f);
	return 0;
}
