#include "crypto/random.h"

#include <sodium.h>

void
random_bytes(void *p, size_t len)
{
	randombytes_buf(p, len);
}
