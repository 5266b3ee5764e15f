/*
 * An audit log, checked and shown by anybody who has the daemon's public key.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/file.h"
#include "common/hex.h"
#include "common/json.h"
#include "crypto/audit.h"
#include "crypto/checkpoint.h"
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

/* As the coordinator has countersigned it. */
static int
read_checkpoint(const struct ctl_args *a, const uint8_t pk[KEY_PUBLIC],
    struct audit_state *expected, struct err *err)
{
	const char *path = a->opt[CTL_CHECKPOINT];
	uint8_t coordinator[KEY_PUBLIC], *file;
	struct checkpoint c;
	size_t len;
	int rv;

	if (a->opt[CTL_COORDINATOR_KEY] == NULL || a->opt[CTL_EXPECT] != NULL)
		return err_set(err, ERR_CONFIG,
		    "--checkpoint: expected --coordinator-key with it, and no "
		    "--expect");
	if (ctl_public_key("--coordinator-key", a->opt[CTL_COORDINATOR_KEY],
		coordinator, err) < 0 ||
	    (file = file_read(path, CHECKPOINT_MAX, &len, err)) == NULL)
		return -1;
	rv = checkpoint_open_countersigned(file, len, coordinator, pk, &c, err);
	free(file);
	if (rv < 0)
		return err_prefix(err, "%s", path);
	*expected = c.state;
	return 0;
}

/* FILE against --public-key, and --expect or --checkpoint. */
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
	if (a->opt[CTL_CHECKPOINT] != NULL &&
	    read_checkpoint(a, pk, &expected, err) < 0)
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

/* One value, as put_value() of crypto/audit.c wrote it; where it ends. */
static const char *
json_value(const char *p, struct canon *value)
{
	bool quoted = *p == '"';

	for (p += quoted; *p != '\0' && *p != (quoted ? '"' : ' '); p++) {
		unsigned c = (unsigned char)*p;

		if (c == '%' && sscanf(p + 1, "%2X", &c) == 1)
			p += 2;
		canon_u8(value, (uint8_t)c);
	}
	canon_u8(value, 0);
	return quoted && *p == '"' ? p + 1 : p;
}

/* An array of objects, written as it comes. */
struct export
{
	struct canon out;
	struct json json;
};

static void
print_json(void *arg, const char *line)
{
	char seq[24], when[24], event[48], name[48];
	struct canon value = { 0 };
	struct export *e = arg;
	int n = 0;

	if (sscanf(line, "%23s %23s %47s%n", seq, when, event, &n) != 3)
		return;
	json_object(&e->json, NULL);
	json_int(&e->json, "seq", strtoll(seq, NULL, 10));
	json_text(&e->json, "time", when);
	json_text(&e->json, "event", event);
	line += n;
	while (sscanf(line, " %47[a-z0-9-]=%n", name, &n) == 1) {
		value.len = 0;
		line = json_value(line + n, &value);
		if (value.failed)
			break;
		json_text(&e->json, name, (const char *)value.data);
	}
	e->out.failed |= value.failed;
	json_end_object(&e->json);
	canon_free(&value);
	if (!e->out.failed)
		fwrite(e->out.data, 1, e->out.len, stdout);
	e->out.len = 0;
}

/* The lines that were verified, without what proves them; a daemon may have
   added more meanwhile. */
static int
print_lines(const struct ctl_args *a, void (*print)(void *, const char *),
    void *arg, struct err *err)
{
	static char line[AUDIT_LINE_MAX + 1];
	struct audit_state found;
	size_t len;
	FILE *f;
	int rv = 0;

	if (verify(a, &found, err) < 0)
		return -1;
	if ((f = fopen(a->operand, "re")) == NULL)
		return err_sys(err, "open %s", a->operand);
	for (uint64_t i = 0; i < found.count; i++) {
		if (fgets(line, sizeof(line), f) == NULL) {
			rv = err_set(err, ERR_SYSTEM,
			    "%s: has fewer lines than were verified",
			    a->operand);
			break;
		}
		len = strcspn(line, "\n");
		if (len <= PROOF)
			continue;
		line[len - PROOF] = '\0';
		print(arg, line);
	}
	fclose(f);
	return rv;
}

static void
print_plain(void *arg, const char *line)
{
	(void)arg;
	printf("%s\n", line);
}

int
ctl_audit_show(const struct ctl_args *a, struct err *err)
{
	return print_lines(a, print_plain, NULL, err);
}

int
ctl_audit_export(const struct ctl_args *a, struct err *err)
{
	struct export e = { 0 };
	int rv;

	e.json = json_start(&e.out);
	json_array(&e.json, NULL);
	rv = print_lines(a, print_json, &e, err);
	json_end_array(&e.json);
	if (rv == 0 && e.out.failed)
		rv = err_set(err, ERR_SYSTEM, "audit export: no memory");
	if (rv == 0)
		printf("%.*s\n", (int)e.out.len, (const char *)e.out.data);
	canon_free(&e.out);
	return rv;
}
