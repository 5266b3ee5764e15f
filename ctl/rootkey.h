/* The root's key in its folder. */
#ifndef CTL_ROOTKEY_H
#define CTL_ROOTKEY_H

struct err;
struct key;
struct manifest_roots;

/* DIR/root.key; asks for its passphrase if it has one and passphrase_file is
   NULL.  The caller ends it with key_free(). */
struct key *rootkey_load(
    const char *dir, const char *passphrase_file, struct err *err);

/* Who has been root: DIR/roots, or root alone where there is no such file. */
int rootkey_roots(const char *dir, const struct key *root,
    struct manifest_roots *roots, struct err *err);
int rootkey_put_roots(
    const char *dir, const struct manifest_roots *roots, struct err *err);

#endif
