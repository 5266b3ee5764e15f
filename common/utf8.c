#include "common/utf8.h"

#include <stdint.h>

/* The length of the character at p, or 0 if it is not one. */
static size_t
char_len(const uint8_t *p, size_t len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = p[0] < 0x80  ? 1
	    : p[0] >> 5 == 0x6  ? 2
	    : p[0] >> 4 == 0xe  ? 3
	    : p[0] >> 3 == 0x1e ? 4
				: 0;
	uint32_t c;

	if (n <= 1 || n > len)
		return n == 1 ? 1 : 0;
	c = p[0] & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return n;
}

size_t
utf8_valid(const char *s, size_t len)
{
	const uint8_t *p = (const uint8_t *)s;
	size_t i = 0, n;

	while (i < len && (n = char_len(p + i, len - i)) != 0)
		i += n;
	return i;
}

size_t
utf8_count(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((uint8_t)s[i] & 0xc0) != 0x80;
	return n;
}

size_t
utf8_prefix(const char *s, size_t len, size_t n)
{
	size_t i = 0;

	while (i < len && (n > 0 || ((uint8_t)s[i] & 0xc0) == 0x80)) {
		n -= ((uint8_t)s[i] & 0xc0) != 0x80;
		i++;
	}
	return i;
}
