/*
 * Secret keys and where they lie: Ed25519 signing keys, either plain (a
 * daemon's identity) or under a passphrase (the root, a privacy officer), and
 * raw 32-byte secrets (a site's pseudonym key).
 *
 * A secret file is made with mode 0400, never over an existing file, and is
 * refused when read if group or others may touch it.  A passphrase goes
 * through argon2id (64 MiB, 3 passes) to a key for XChaCha20-Poly1305.
 *
 * Secrets lie in libsodium's guarded memory: locked, not in core dumps, wiped
 * when freed.  That calls mmap, mprotect, mlock, madvise, munlock and munmap.
 * The functions that take a descriptor read it from its start and leave it
 * open; name is for errors.
 */
#ifndef CRYPTO_KEYFILE_H
#define CRYPTO_KEYFILE_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct key;

#define KEY_PUBLIC 32
#define KEY_PUBLIC_TEXT (2 * KEY_PUBLIC + 1) /* hexadecimal and NUL */
#define KEY_SECRET 64 /* seed and public key, as libsodium has them */
#define KEY_SIGNATURE 64
#define KEY_RAW 32

/* A fresh key.  NULL with ERR_SYSTEM. */
struct key *key_new(struct err *err);

/* passphrase is NULL for a plain file. */
int key_save(const struct key *k, const char *path, const char *passphrase,
    struct err *err);

/*
 * ERR_CONFIG if the file's mode is too open, a passphrase is needed and NULL,
 * or it is the wrong one (or the file was altered); ERR_FORMAT if it is no key.
 * A passphrase for a plain file is not used.
 */
struct key *key_load(const char *path, const char *passphrase, struct err *err);
struct key *key_load_fd(
    int fd, const char *name, const char *passphrase, struct err *err);
void key_free(struct key *k); /* NULL is fine */

/* 1 if the file needs a passphrase, 0 if not, -1 if it is no key file. */
int key_locked(const char *path, struct err *err);

const uint8_t *key_public(const struct key *k); /* KEY_PUBLIC bytes */
const uint8_t *key_secret(const struct key *k); /* KEY_SECRET bytes */

/* Public keys are one line of hexadecimal.  A key that is not a canonical
   point of the prime-order group is refused. */
int key_public_parse(const char *hex, uint8_t pk[KEY_PUBLIC], struct err *err);
int key_public_check(const uint8_t pk[KEY_PUBLIC], struct err *err);
int key_public_save(
    const uint8_t pk[KEY_PUBLIC], const char *path, struct err *err);
int key_public_load(const char *path, uint8_t pk[KEY_PUBLIC], struct err *err);
int key_public_load_fd(
    int fd, const char *name, uint8_t pk[KEY_PUBLIC], struct err *err);

/* A raw secret: make it and its file; read it.  Whoever reads it wipes it. */
int secret_create(const char *path, struct err *err);
int secret_load(const char *path, uint8_t out[KEY_RAW], struct err *err);
int secret_load_fd(
    int fd, const char *name, uint8_t out[KEY_RAW], struct err *err);

#endif
