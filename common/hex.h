/* Bytes as lower-case hexadecimal text. */
#ifndef COMMON_HEX_H
#define COMMON_HEX_H

#include <stddef.h>
#include <stdint.h>

/* out has room for 2 * len + 1 bytes. */
void hex_text(const uint8_t *p, size_t len, char *out);
/* Exactly len bytes from exactly 2 * len digits of either case; else -1. */
int hex_bytes(const char *s, uint8_t *out, size_t len);

#endif
