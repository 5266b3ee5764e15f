/*
 * The mask generator: a stream cipher's keystream as little-endian words of b
 * bits, b = 32 or 64, added to a vector modulo 2^b.  Suite 1 is AES-256-CTR with a counter
 * block from 0 (SP 800-38A), suite 2 ChaCha20 with nonce and counter 0
 * (RFC 8439).  A key serves one (pair, round, tensor), so IV 0 is right.
 *
 * Call prg_selftest() once at start, before the process is locked in:
 * libcrypto loads its cipher then.
 */
#ifndef CRYPTO_PRG_H
#define CRYPTO_PRG_H

#include <stddef.h>
#include <stdint.h>

struct err;

#define PRG_KEY 32
#define PRG_AES256CTR 1
#define PRG_CHACHA20 2

enum prg_sign { PRG_ADD, PRG_SUBTRACT };

/* words[k] +-= keystream word first + k, for k < n; words is an array of
   uint32_t or uint64_t as bits says. */
int prg_apply(uint8_t suite, const uint8_t key[PRG_KEY], unsigned bits,
    uint64_t first, void *words, size_t n, enum prg_sign sign, struct err *err);

/* Known answers of both suites, odd tails, seeks, the counter's carry:
   ERR_SYSTEM if this machine's keystream is wrong. */
int prg_selftest(struct err *err);

#endif
