/* The root's key in its folder. */
#ifndef CTL_ROOTKEY_H
#define CTL_ROOTKEY_H

struct err;
struct key;

/* DIR/root.key; asks for its passphrase if it has one and passphrase_file is
   NULL.  The caller ends it with key_free(). */
struct key *rootkey_load(
    const char *dir, const char *passphrase_file, struct err *err);

#endif
