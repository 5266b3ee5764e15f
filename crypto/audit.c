#include "crypto/audit.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/hex.h"
#include "common/macros.h"
#include "crypto/signed.h"

#define EVENT_FIELDS_MAX 16
#define AUDIT_LABEL SIGNED_LABEL "audit"
#define AUDIT_SIGNATURE "audit" /* the type that the hash is signed as */
#define HAND_OVER "identity" /* an event of this file's own */

/* " prev=" and 64 digits, " hash=" and 64, " sig=" and 128, newline. */
#define PREV_LEN (6 + 2 * AUDIT_HASH)
#define HASH_LEN (6 + 2 * AUDIT_HASH)
#define SIG_LEN (5 + 2 * KEY_SIGNATURE)
#define TAIL_LEN (PREV_LEN + HASH_LEN + SIG_LEN + 1)

struct audit {
	int fd;
	const struct key *key;
	char *path;
	off_t end; /* of the last whole line */
	struct audit_state state;
	bool broken; /* a write failed, and could not be undone */
	bool hands_over; /* and then writes no more */
};

/* A line, taken apart. */
struct line {
	uint64_t seq;
	uint8_t prev[AUDIT_HASH], hash[AUDIT_HASH], sig[KEY_SIGNATURE];
};

static void
hash_text(const char *text, size_t len, uint8_t out[AUDIT_HASH])
{
	crypto_hash_sha256_state st;

	crypto_hash_sha256_init(&st);
	crypto_hash_sha256_update(&st, (const unsigned char *)AUDIT_LABEL,
	    sizeof(AUDIT_LABEL)); /* its NUL ends it */
	crypto_hash_sha256_update(&st, (const unsigned char *)text, len);
	crypto_hash_sha256_final(&st, out);
}

/* "NAME" and n bytes in hexadecimal at p; 0 or -1. */
static int
get_hex(const char *p, const char *name, uint8_t *out, size_t n)
{
	char hex[2 * KEY_SIGNATURE + 1];
	size_t skip = strlen(name);

	if (strncmp(p, name, skip) != 0)
		return -1;
	memcpy(hex, p + skip, 2 * n);
	hex[2 * n] = '\0';
	/* One hash has one spelling. */
	if (strspn(hex, "0123456789abcdef") != 2 * n)
		return -1;
	return hex_bytes(hex, out, n);
}

/* Whether the line hands the log over, and to whom. */
static bool
hands_over(const char *p, size_t len, uint8_t next[KEY_PUBLIC])
{
	static const char name[] = " " HAND_OVER " next=";
	const char *end = p + len, *event = memchr(p, ' ', len);

	if (event != NULL)
		event = memchr(event + 1, ' ', (size_t)(end - event - 1));
	return event != NULL &&
	    (size_t)(end - event) > sizeof(name) + 2 * (size_t)KEY_PUBLIC &&
	    get_hex(event, name, next, KEY_PUBLIC) == 0;
}

/*
 * Read a line of len bytes without its newline and check what it can prove by
 * itself: its hash and (pk NULL: not) its signature.  NULL, or what is wrong.
 */
static const char *
read_line(
    const char *p, size_t len, const uint8_t pk[KEY_PUBLIC], struct line *line)
{
	const char *prev, *hash, *sig;
	uint8_t own[AUDIT_HASH];
	struct err err;
	char *end;

	if (len < TAIL_LEN || len >= AUDIT_LINE_MAX)
		return "not a line of an audit log";
	sig = p + len - SIG_LEN;
	hash = sig - HASH_LEN;
	prev = hash - PREV_LEN;
	errno = 0;
	line->seq = strtoull(p, &end, 10);
	if (errno != 0 || *p < '1' || *p > '9' || *end != ' ' ||
	    get_hex(prev, " prev=", line->prev, AUDIT_HASH) < 0 ||
	    get_hex(hash, " hash=", line->hash, AUDIT_HASH) < 0 ||
	    get_hex(sig, " sig=", line->sig, KEY_SIGNATURE) < 0)
		return "not a line of an audit log";
	hash_text(p, (size_t)(hash - p), own);
	if (sodium_memcmp(own, line->hash, sizeof(own)) != 0)
		return "altered: its hash is another";
	if (pk != NULL &&
	    signed_check(
		pk, AUDIT_SIGNATURE, own, sizeof(own), line->sig, &err) < 0)
		return "its signature is not that of the log's key";
	return NULL;
}

/* Text as it stands in a line: as it is, or quoted, with %XX inside. */
static void
put_value(struct canon *out, const char *value)
{
	static const char hex[] = "0123456789ABCDEF";
	bool quote = value[0] == '\0' || strpbrk(value, " \"=%") != NULL;

	if (quote)
		canon_u8(out, '"');
	for (const char *p = value; *p != '\0'; p++) {
		uint8_t c = (uint8_t)*p;

		if (c < ' ' || c == 0x7f || c == '%' || c == '"') {
			canon_u8(out, '%');
			canon_u8(out, (uint8_t)hex[c >> 4]);
			canon_u8(out, (uint8_t)hex[c & 15]);
		} else {
			canon_u8(out, c);
		}
	}
	if (quote)
		canon_u8(out, '"');
}

static void
put_hex(struct canon *out, const char *name, const uint8_t *p, size_t n)
{
	char hex[2 * KEY_SIGNATURE + 1];

	hex_text(p, n, hex);
	canon_raw(out, name, strlen(name));
	canon_raw(out, hex, 2 * n);
}

static int
is_word(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return n != 0 && s[n] == '\0';
}

static int
write_line(struct audit *a, const struct canon *line, const uint8_t *hash,
    struct err *err)
{
	if (lseek(a->fd, a->end, SEEK_SET) < 0 ||
	    file_write_all(a->fd, line->data, line->len) < 0 ||
	    fsync(a->fd) < 0) {
		err_sys(err, "write %s", a->path);
		/* What did not become a line must not stay. */
		if (ftruncate(a->fd, a->end) < 0)
			a->broken = true;
		return -1;
	}
	a->end += (off_t)line->len;
	a->state.count++;
	memcpy(a->state.head, hash, AUDIT_HASH);
	return 0;
}

int
audit_add(struct audit *a, const char *event, const struct audit_field *fields,
    size_t n, struct err *err)
{
	char head[96], when[CLOCK_TEXT_SIZE];
	uint8_t hash[AUDIT_HASH], sig[KEY_SIGNATURE];
	struct canon line = { 0 };
	int rv = -1;

	if (a->broken)
		return err_set(err, ERR_SYSTEM,
		    "%s: an earlier write failed; start again", a->path);
	if (!is_word(event) || strlen(event) > 40)
		return err_set(err, ERR_FORMAT, "audit: not an event's name");
	if (strcmp(event, HAND_OVER) == 0 && !a->hands_over)
		return err_set(err, ERR_FORMAT, "audit: not a daemon's event");
	clock_text(clock_utc(), when);
	snprintf(head, sizeof(head), "%" PRIu64 " %s %s", a->state.count + 1,
	    when, event);
	canon_raw(&line, head, strlen(head));
	for (size_t i = 0; i < n; i++) {
		if (!is_word(fields[i].name)) {
			err_set(err, ERR_FORMAT, "audit: not a field's name");
			goto out;
		}
		canon_u8(&line, ' ');
		canon_raw(&line, fields[i].name, strlen(fields[i].name));
		canon_u8(&line, '=');
		put_value(&line, fields[i].value);
	}
	put_hex(&line, " prev=", a->state.head, AUDIT_HASH);
	if (line.failed) {
		err_set(err, ERR_SYSTEM, "audit: out of memory");
		goto out;
	}
	if (line.len + HASH_LEN + SIG_LEN >= AUDIT_LINE_MAX) {
		err_set(err, ERR_FORMAT, "audit: a line of more than %d bytes",
		    AUDIT_LINE_MAX);
		goto out;
	}
	hash_text((const char *)line.data, line.len, hash);
	signed_sign(a->key, AUDIT_SIGNATURE, hash, sizeof(hash), sig);
	put_hex(&line, " hash=", hash, sizeof(hash));
	put_hex(&line, " sig=", sig, sizeof(sig));
	canon_u8(&line, '\n');
	if (line.failed) {
		err_sys(err, "audit");
		goto out;
	}
	rv = write_line(a, &line, hash, err);
out:
	canon_free(&line);
	return rv;
}

/* The last newline in the n bytes at p, or NULL. */
static char *
last_newline(char *p, size_t n)
{
	while (n-- != 0)
		if (p[n] == '\n')
			return p + n;
	return NULL;
}

/*
 * Find the last whole line and go on from it.  Returns how many bytes stand
 * behind it, or -1.
 */
static off_t
find_tail(struct audit *a, struct err *err)
{
	char buf[2 * AUDIT_LINE_MAX], *last, *before;
	uint8_t successor[KEY_PUBLIC];
	const char *wrong;
	bool next;
	struct line line;
	struct stat st;
	off_t start;
	ssize_t n;

	if (fstat(a->fd, &st) < 0)
		return err_sys(err, "%s", a->path);
	start = st.st_size > (off_t)sizeof(buf)
	    ? st.st_size - (off_t)sizeof(buf)
	    : 0;
	n = pread(a->fd, buf, sizeof(buf), start);
	if (n < 0 || start + n != st.st_size)
		return err_sys(err, "read %s", a->path);
	if ((last = last_newline(buf, (size_t)n)) == NULL) {
		if (n >= AUDIT_LINE_MAX)
			return err_set(
			    err, ERR_FORMAT, "%s: not an audit log", a->path);
		return n;
	}
	before = last_newline(buf, (size_t)(last - buf));
	before = before != NULL ? before + 1 : buf;
	/* (who has handed over to us signed with a key that is not here) */
	next = hands_over(before, (size_t)(last - before), successor);
	wrong = read_line(before, (size_t)(last - before),
	    next && memcmp(successor, key_public(a->key), KEY_PUBLIC) == 0
		? NULL
		: key_public(a->key),
	    &line);
	if (wrong != NULL)
		return err_set(
		    err, ERR_FORMAT, "%s: last line: %s", a->path, wrong);
	if (next && memcmp(successor, key_public(a->key), KEY_PUBLIC) != 0)
		return err_set(err, ERR_REFUSED,
		    "%s: the log was handed over to another key", a->path);
	a->state.count = line.seq;
	memcpy(a->state.head, line.hash, AUDIT_HASH);
	a->end = start + (last + 1 - buf);
	return st.st_size - a->end;
}

struct audit *
audit_open(const char *path, const struct key *k, struct err *err)
{
	struct audit *a = NULL;
	struct audit_field cut = { "bytes", NULL };
	char bytes[24];
	off_t behind;

	if ((a = calloc(1, sizeof(*a))) == NULL ||
	    (a->path = strdup(path)) == NULL) {
		err_sys(err, "audit log");
		free(a);
		return NULL;
	}
	a->key = k;
	a->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (a->fd < 0) {
		err_sys(err, "open %s", path);
		goto bad;
	}
	if (flock(a->fd, LOCK_EX | LOCK_NB) < 0) {
		err_sys(err, "%s: another process writes it", path);
		goto bad;
	}
	if ((behind = find_tail(a, err)) < 0)
		goto bad;
	if (behind > 0) {
		snprintf(bytes, sizeof(bytes), "%jd", (intmax_t)behind);
		cut.value = bytes;
		if (ftruncate(a->fd, a->end) < 0) {
			err_sys(err, "%s", path);
			goto bad;
		}
		if (audit_add(a, "recovered", &cut, 1, err) < 0)
			goto bad;
	}
	return a;
bad:
	audit_close(a);
	return NULL;
}

void
audit_close(struct audit *a)
{
	if (a == NULL)
		return;
	if (a->fd >= 0)
		close(a->fd);
	free(a->path);
	free(a);
}

int
audit_event(struct audit *a, struct err *err, const char *event, ...)
{
	struct audit_field fields[EVENT_FIELDS_MAX];
	const char *name;
	size_t n = 0;
	va_list ap;

	va_start(ap, event);
	while ((name = va_arg(ap, const char *)) != NULL) {
		assert(n < nitems(fields));
		fields[n++] = (struct audit_field){
			.name = name,
			.value = va_arg(ap, const char *),
		};
	}
	va_end(ap);
	return audit_add(a, event, fields, n, err);
}

int
audit_hand_over(
    struct audit *a, const uint8_t next[KEY_PUBLIC], struct err *err)
{
	char hex[KEY_PUBLIC_TEXT];
	int rv;

	hex_text(next, KEY_PUBLIC, hex);
	a->hands_over = true;
	rv = audit_event(a, err, HAND_OVER, "next", hex, NULL);
	a->broken = true;
	return rv;
}

uint64_t
audit_count(const struct audit *a)
{
	return a->state.count;
}

void
audit_head(const struct audit *a, uint8_t hash[AUDIT_HASH])
{
	memcpy(hash, a->state.head, AUDIT_HASH);
}

/* Does the line follow on what stands before it?  NULL, or what is wrong. */
static const char *
check_place(const struct audit_state *so_far, const struct line *line,
    const struct audit_state *expected)
{
	if (line->seq != so_far->count + 1)
		return "its number does not follow: a line was removed, added "
		       "or moved";
	if (memcmp(line->prev, so_far->head, AUDIT_HASH) != 0)
		return "does not follow on the line before it";
	if (expected != NULL && line->seq == expected->count &&
	    !sodium_is_zero(expected->head, AUDIT_HASH) &&
	    memcmp(line->hash, expected->head, AUDIT_HASH) != 0)
		return "is not the line that was known before";
	return NULL;
}

static int
verify_lines(FILE *f, const char *path, const uint8_t pk[KEY_PUBLIC],
    const struct audit_state *expected, struct audit_state *found,
    struct err *err)
{
	char buf[AUDIT_LINE_MAX + 1];
	uint8_t key[KEY_PUBLIC], next[KEY_PUBLIC];
	struct line line;

	memcpy(key, pk, sizeof(key));
	while (fgets(buf, sizeof(buf), f) != NULL) {
		size_t len = strlen(buf);
		const char *wrong;

		if (len == 0 || buf[len - 1] != '\n')
			wrong = "cut short or too long";
		else
			wrong = read_line(buf, len - 1, key, &line);
		if (wrong == NULL)
			wrong = check_place(found, &line, expected);
		if (wrong != NULL)
			return err_set(err, ERR_FORMAT, "%s:%" PRIu64 ": %s",
			    path, found->count + 1, wrong);
		found->count = line.seq;
		memcpy(found->head, line.hash, AUDIT_HASH);
		if (hands_over(buf, len - 1, next))
			memcpy(key, next, sizeof(key));
	}
	if (ferror(f))
		return err_sys(err, "read %s", path);
	if (expected != NULL && found->count < expected->count)
		return err_set(err, ERR_FORMAT,
		    "%s: %" PRIu64 " lines, expected at least %" PRIu64
		    ": lines are missing at the end",
		    path, found->count, expected->count);
	return 0;
}

int
audit_verify(const char *path, const uint8_t pk[KEY_PUBLIC],
    const struct audit_state *expected, struct audit_state *found,
    struct err *err)
{
	struct audit_state state = { 0 };
	FILE *f = fopen(path, "re");
	int rv;

	if (f == NULL)
		return err_sys(err, "open %s", path);
	rv = verify_lines(f, path, pk, expected, &state, err);
	fclose(f);
	if (found != NULL)
		*found = state;
	return rv;
}
