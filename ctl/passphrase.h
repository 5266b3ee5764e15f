/*
 * A passphrase: the first line of a file that nobody else may read, or asked
 * for at the terminal without showing it.
 */
#ifndef CTL_PASSPHRASE_H
#define CTL_PASSPHRASE_H

#include <stdbool.h>

struct err;

/*
 * file is NULL to ask at the terminal; what says what it opens; twice: ask for
 * it again, since it is a new one.  End it with passphrase_free().
 */
char *passphrase_get(
    const char *file, const char *what, bool twice, struct err *err);
void passphrase_free(char *p); /* wipes; NULL is fine */

#endif
