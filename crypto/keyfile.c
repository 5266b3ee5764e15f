#include "crypto/keyfile.h"

#include <sys/stat.h>

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/file.h"
#include "common/hex.h"

/*
 * A key file: text "consilium-1/key", u8 form, then
 *   PLAIN:   seed (32)
 *   LOCKED:  u32 passes, u32 memory in KiB, salt (16), nonce (24),
 *            seed (32) encrypted with its tag (16); what stands before is
 *            authenticated too.
 * A raw secret's file: text "consilium-1/secret", 32 bytes.
 */
#define KEY_LABEL "consilium-1/key"
#define SECRET_LABEL "consilium-1/secret"
#define KEYFILE_MAX 256

enum form { PLAIN = 1, LOCKED = 2 };

/* RFC 9106, the second recommended setting (section 4): 64 MiB, 3 passes. */
#define PASSES 3
#define MEMORY_KIB (64 * 1024)
#define PASSES_MAX 16
#define MEMORY_KIB_MAX (1024 * 1024)

#define SALT crypto_pwhash_SALTBYTES
#define NONCE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG crypto_aead_xchacha20poly1305_ietf_ABYTES
#define SEED crypto_sign_SEEDBYTES

struct key {
	uint8_t secret[KEY_SECRET]; /* seed, public key */
};

_Static_assert(KEY_SECRET == crypto_sign_SECRETKEYBYTES, "secret key");
_Static_assert(KEY_PUBLIC == crypto_sign_PUBLICKEYBYTES, "public key");
_Static_assert(KEY_SIGNATURE == crypto_sign_BYTES, "signature");

static struct key *
key_alloc(struct err *err)
{
	struct key *k;

	if (sodium_init() < 0) {
		err_set(err, ERR_SYSTEM, "libsodium does not start");
		return NULL;
	}
	if ((k = sodium_malloc(sizeof(*k))) == NULL)
		err_sys(err, "memory for a key");
	return k;
}

void
key_free(struct key *k)
{
	sodium_free(k); /* wipes */
}

const uint8_t *
key_public(const struct key *k)
{
	return k->secret + SEED;
}

const uint8_t *
key_secret(const struct key *k)
{
	return k->secret;
}

struct key *
key_new(struct err *err)
{
	struct key *k = key_alloc(err);
	uint8_t pk[KEY_PUBLIC];

	if (k != NULL)
		crypto_sign_keypair(pk, k->secret);
	return k;
}

/* The key that encrypts a seed under a passphrase. */
static int
stretch(const char *passphrase, const uint8_t salt[SALT], uint32_t passes,
    uint32_t memory_kib, uint8_t out[KEY_RAW], struct err *err)
{
	if (crypto_pwhash(out, KEY_RAW, passphrase, strlen(passphrase), salt,
		passes, (size_t)memory_kib * 1024,
		crypto_pwhash_ALG_ARGON2ID13) != 0)
		return err_sys(err, "argon2id with %u KiB", memory_kib);
	return 0;
}

static int
put_locked(struct canon *out, const struct key *k, const char *passphrase,
    struct err *err)
{
	uint8_t salt[SALT], nonce[NONCE], box[SEED + TAG], wrap[KEY_RAW];

	if (strlen(passphrase) < 8)
		return err_set(err, ERR_CONFIG,
		    "a passphrase has at least 8 bytes, this one has %zu",
		    strlen(passphrase));
	randombytes_buf(salt, sizeof(salt));
	randombytes_buf(nonce, sizeof(nonce));
	if (stretch(passphrase, salt, PASSES, MEMORY_KIB, wrap, err) < 0)
		return -1;
	canon_u32(out, PASSES);
	canon_u32(out, MEMORY_KIB);
	canon_raw(out, salt, sizeof(salt));
	canon_raw(out, nonce, sizeof(nonce));
	if (!out->failed)
		crypto_aead_xchacha20poly1305_ietf_encrypt(box, NULL, k->secret,
		    SEED, out->data, out->len, NULL, nonce, wrap);
	canon_raw(out, box, sizeof(box));
	sodium_memzero(wrap, sizeof(wrap));
	return 0;
}

int
key_save(const struct key *k, const char *path, const char *passphrase,
    struct err *err)
{
	struct canon file = { 0 };
	int rv = -1;

	canon_text(&file, KEY_LABEL);
	canon_u8(&file, passphrase != NULL ? LOCKED : PLAIN);
	if (passphrase == NULL)
		canon_raw(&file, k->secret, SEED);
	else if (put_locked(&file, k, passphrase, err) < 0)
		goto out;
	if (file.failed) {
		err_sys(err, "%s", path);
		goto out;
	}
	rv = file_create(path, file.data, file.len, 0400, err);
out:
	canon_free(&file);
	return rv;
}

/* Open a secret file; only its owner may have access to it. */
static int
open_secret(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		err_sys(err, "open %s", path);
	return fd;
}

/* Read one; the caller wipes and frees it. */
static uint8_t *
read_secret(int fd, const char *name, size_t *len, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		err_sys(err, "%s", name);
		return NULL;
	}
	if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
		err_set(err, ERR_CONFIG,
		    "%s: mode %04o lets others at a secret, expected 0400 or "
		    "0600",
		    name, (unsigned)st.st_mode & 07777);
		return NULL;
	}
	return file_read_fd(fd, name, KEYFILE_MAX, len, err);
}

static void
wipe_free(uint8_t *p, size_t len)
{
	if (p == NULL)
		return;
	sodium_memzero(p, len);
	free(p);
}

static int
get_locked(struct canon_in *in, const uint8_t *start, const char *name,
    const char *passphrase, uint8_t seed[SEED], struct err *err)
{
	uint8_t salt[SALT], nonce[NONCE], wrap[KEY_RAW];
	uint32_t passes = canon_get_u32(in), memory_kib = canon_get_u32(in);
	const uint8_t *box;
	int rv;

	canon_get_raw(in, salt, sizeof(salt));
	canon_get_raw(in, nonce, sizeof(nonce));
	box = canon_get_view(in, SEED + TAG);
	if (canon_end(in, name, err) < 0)
		return -1;
	/* What argon2id takes; and nobody's file makes us work for hours. */
	if (passes < 1 || passes > PASSES_MAX || memory_kib < 8 ||
	    memory_kib > MEMORY_KIB_MAX)
		return err_set(err, ERR_FORMAT,
		    "%s: argon2id settings out of "
		    "bounds",
		    name);
	if (passphrase == NULL)
		return err_set(err, ERR_CONFIG,
		    "%s: is protected by a passphrase, which was not given",
		    name);
	if (stretch(passphrase, salt, passes, memory_kib, wrap, err) < 0)
		return err_prefix(err, "%s", name);
	rv = crypto_aead_xchacha20poly1305_ietf_decrypt(seed, NULL, NULL, box,
	    SEED + TAG, start, (size_t)(box - start), nonce, wrap);
	sodium_memzero(wrap, sizeof(wrap));
	if (rv != 0)
		return err_set(err, ERR_CONFIG,
		    "%s: wrong passphrase, or the file was altered", name);
	return 0;
}

/* The form that a key file says it has; 0 if it is no key file. */
static uint8_t
get_form(struct canon_in *in)
{
	char label[sizeof(KEY_LABEL)];
	uint8_t form;

	canon_get_text(in, label, sizeof(label));
	form = canon_get_u8(in);
	if (in->failed || strcmp(label, KEY_LABEL) != 0 ||
	    (form != PLAIN && form != LOCKED))
		return 0;
	return form;
}

int
key_locked(const char *path, struct err *err)
{
	int fd = open_secret(path, err);
	struct canon_in in;
	uint8_t *file, form;
	size_t len;

	if (fd < 0)
		return -1;
	file = read_secret(fd, path, &len, err);
	close(fd);
	if (file == NULL)
		return -1;
	in = canon_in(file, len);
	form = get_form(&in);
	wipe_free(file, len);
	if (form == 0)
		return err_set(err, ERR_FORMAT, "%s: not a key file", path);
	return form == LOCKED;
}

struct key *
key_load_fd(int fd, const char *name, const char *passphrase, struct err *err)
{
	struct key *k = NULL, *loaded = NULL;
	uint8_t seed[SEED], pk[KEY_PUBLIC], *file = NULL;
	struct canon_in in;
	size_t len = 0;
	uint8_t form;

	if ((k = key_alloc(err)) == NULL)
		return NULL;
	if ((file = read_secret(fd, name, &len, err)) == NULL)
		goto out;
	in = canon_in(file, len);
	if ((form = get_form(&in)) == 0) {
		err_set(err, ERR_FORMAT, "%s: not a key file", name);
		goto out;
	}
	if (form == LOCKED) {
		if (get_locked(&in, file, name, passphrase, seed, err) < 0)
			goto out;
	} else {
		canon_get_raw(&in, seed, sizeof(seed));
		if (canon_end(&in, name, err) < 0)
			goto out;
	}
	crypto_sign_seed_keypair(pk, k->secret, seed);
	loaded = k;
	k = NULL;
out:
	sodium_memzero(seed, sizeof(seed));
	wipe_free(file, len);
	key_free(k);
	return loaded;
}

struct key *
key_load(const char *path, const char *passphrase, struct err *err)
{
	struct key *k;
	int fd = open_secret(path, err);

	if (fd < 0)
		return NULL;
	k = key_load_fd(fd, path, passphrase, err);
	close(fd);
	return k;
}

int
key_public_check(const uint8_t pk[KEY_PUBLIC], struct err *err)
{
	if (crypto_core_ed25519_is_valid_point(pk) != 1)
		return err_set(err, ERR_FORMAT,
		    "not an Ed25519 public key (no point of the group)");
	return 0;
}

int
key_public_parse(const char *hex, uint8_t pk[KEY_PUBLIC], struct err *err)
{
	if (hex_bytes(hex, pk, KEY_PUBLIC) < 0)
		return err_set(err, ERR_FORMAT,
		    "not a public key, expected %d hexadecimal digits",
		    2 * KEY_PUBLIC);
	return key_public_check(pk, err);
}

int
key_public_save(const uint8_t pk[KEY_PUBLIC], const char *path, struct err *err)
{
	char line[KEY_PUBLIC_TEXT + 1];

	hex_text(pk, KEY_PUBLIC, line);
	line[KEY_PUBLIC_TEXT - 1] = '\n';
	return file_create(path, line, KEY_PUBLIC_TEXT, 0444, err);
}

/* line is freed. */
static int
public_line(char *line, size_t len, const char *name, uint8_t pk[KEY_PUBLIC],
    struct err *err)
{
	int rv;

	if (line == NULL)
		return -1;
	if (len != 0 && line[len - 1] == '\n')
		line[len - 1] = '\0';
	if ((rv = key_public_parse(line, pk, err)) < 0)
		err_prefix(err, "%s", name);
	free(line);
	return rv;
}

int
key_public_load(const char *path, uint8_t pk[KEY_PUBLIC], struct err *err)
{
	size_t len;
	char *line = (char *)file_read(path, KEYFILE_MAX, &len, err);

	return public_line(line, len, path, pk, err);
}

int
key_public_load_fd(
    int fd, const char *name, uint8_t pk[KEY_PUBLIC], struct err *err)
{
	size_t len;
	char *line = (char *)file_read_fd(fd, name, KEYFILE_MAX, &len, err);

	return public_line(line, len, name, pk, err);
}

int
secret_create(const char *path, struct err *err)
{
	struct canon file = { 0 };
	uint8_t secret[KEY_RAW];
	int rv;

	if (sodium_init() < 0)
		return err_set(err, ERR_SYSTEM, "libsodium does not start");
	randombytes_buf(secret, sizeof(secret));
	canon_text(&file, SECRET_LABEL);
	canon_raw(&file, secret, sizeof(secret));
	sodium_memzero(secret, sizeof(secret));
	if (file.failed)
		rv = err_sys(err, "%s", path);
	else
		rv = file_create(path, file.data, file.len, 0400, err);
	canon_free(&file);
	return rv;
}

int
secret_load_fd(int fd, const char *name, uint8_t out[KEY_RAW], struct err *err)
{
	char label[sizeof(SECRET_LABEL)];
	struct canon_in in;
	size_t len = 0;
	uint8_t *file = read_secret(fd, name, &len, err);
	int rv = -1;

	if (file == NULL)
		return -1;
	in = canon_in(file, len);
	canon_get_text(&in, label, sizeof(label));
	if (in.failed || strcmp(label, SECRET_LABEL) != 0) {
		err_set(err, ERR_FORMAT, "%s: not a secret's file", name);
		goto out;
	}
	canon_get_raw(&in, out, KEY_RAW);
	rv = canon_end(&in, name, err);
out:
	wipe_free(file, len);
	return rv;
}

int
secret_load(const char *path, uint8_t out[KEY_RAW], struct err *err)
{
	int rv, fd = open_secret(path, err);

	if (fd < 0)
		return -1;
	rv = secret_load_fd(fd, path, out, err);
	close(fd);
	return rv;
}
