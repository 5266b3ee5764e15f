/*
 * The root's list of members: DIR/members, an INI file that "consiliumctl
 * join" adds to and that the root may edit, to revoke a site.  The manifest is
 * made of it.
 */
#ifndef CTL_MEMBERS_H
#define CTL_MEMBERS_H

#include <stdbool.h>

#include "crypto/join.h"
#include "crypto/manifest.h"

struct err;
struct members;

/* A new list for a consortium; refuses if there is one. */
int members_create(const char *path, const char *consortium, struct err *err);

struct members *members_load(const char *path, struct err *err);
void members_free(struct members *m); /* NULL is fine */

const char *members_consortium(const struct members *m);
/* NULL until it has joined. */
const struct manifest_member *members_coordinator(const struct members *m);
/* By increasing id. */
const struct manifest_site *members_sites(const struct members *m, size_t *n);

/*
 * Add who asks, whose TLS key's hash is tls, and write the file.  *id is the
 * site's number (0 for the coordinator).  One who is a member already with the
 * same keys is found again, and nothing is written; ERR_REFUSED if the name or
 * a key is another member's, or the member was revoked.
 */
int members_add(struct members *m, const struct join_request *r,
    const uint8_t tls[MANIFEST_ID], uint16_t *id, struct err *err);
/*
 * The same for a site that asks with a new identity and a new TLS key: it keeps
 * its name and its number.  ERR_REFUSED if it is no active member.
 */
int members_replace(struct members *m, const struct join_request *r,
    const uint8_t tls[MANIFEST_ID], uint16_t *id, struct err *err);

#endif
