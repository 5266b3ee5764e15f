/* UTF-8, as in RFC 3629: no overlong forms, no surrogates. */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stddef.h>

/* The bytes of s up to the first one that is not UTF-8; len if all is. */
size_t utf8_valid(const char *s, size_t len);
/* How many characters valid text has. */
size_t utf8_count(const char *s, size_t len);
/* How many bytes the first n characters of valid text take. */
size_t utf8_prefix(const char *s, size_t len, size_t n);

#endif
