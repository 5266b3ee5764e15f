/*
 * The canonical byte layout: what is hashed, signed or kept.  Integers are
 * big-endian, doubles are their IEEE 754 bits as a u64, byte strings and text
 * are a u32 length and the bytes.  One value has one encoding, and a reader
 * that has consumed all of its input without error has read exactly what the
 * writer wrote.
 *
 * Both sides keep the first error and then do nothing, so that a caller checks
 * once, at the end.
 */
#ifndef COMMON_CANON_H
#define COMMON_CANON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* A growing buffer.  Start from all zeros; end with canon_free(). */
struct canon {
	uint8_t *data;
	size_t len, cap;
	bool failed; /* out of memory */
	bool fixed; /* data is the caller's */
};

/* One that is known to fit into room and so cannot fail, for what is small. */
struct canon canon_on(void *room, size_t size);

void canon_u8(struct canon *c, uint8_t v);
void canon_u16(struct canon *c, uint16_t v);
void canon_u32(struct canon *c, uint32_t v);
void canon_u64(struct canon *c, uint64_t v);
void canon_f64(struct canon *c, double v);
void canon_raw(struct canon *c, const void *p, size_t len); /* no length */
void canon_bytes(struct canon *c, const void *p, size_t len);
void canon_text(struct canon *c, const char *s);
/* Wipes what it frees.  NULL-safe; leaves all zeros. */
void canon_free(struct canon *c);

/* A view of bytes that belong to somebody else. */
struct canon_in {
	const uint8_t *p, *end;
	bool failed, no_memory;
};

struct canon_in canon_in(const void *p, size_t len);
uint8_t canon_get_u8(struct canon_in *in);
uint16_t canon_get_u16(struct canon_in *in);
uint32_t canon_get_u32(struct canon_in *in);
uint64_t canon_get_u64(struct canon_in *in);
double canon_get_f64(struct canon_in *in);
/* len bytes are copied to out; zeros after an error. */
void canon_get_raw(struct canon_in *in, void *out, size_t len);
/* A pointer to len bytes in place, or NULL. */
const uint8_t *canon_get_view(struct canon_in *in, size_t len);
/* A byte string of min to max bytes in place, or NULL; its length in *len. */
const uint8_t *canon_get_bytes(
    struct canon_in *in, size_t min, size_t max, size_t *len);
/* Text of 1 to size-1 bytes without NUL or control characters. */
void canon_get_text(struct canon_in *in, char *out, size_t size);
/* Room for n elements that are to be read, all 0, for the caller to free; NULL if
   there is no memory, of which canon_end() tells. */
void *canon_room(struct canon_in *in, size_t n, size_t size);
/* 0 if everything was read and nothing failed; else -1 with ERR_FORMAT. */
int canon_end(const struct canon_in *in, const char *what, struct err *err);

#endif
