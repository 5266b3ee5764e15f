/*
 * Messages of an attacker: valid but for what the test changes, signed with
 * the real keys of those who are said to have signed them.  And what every
 * site was told and has said, to make them from.
 */
#ifndef TESTS_ABUSE_FORGE_H
#define TESTS_ABUSE_FORGE_H

#include "crypto/round_msg.h"
#include "tests/rounds/harness.h"

/* The last message of each type, by site; [0] while the first step's round
   was on, [1] after it. */
extern struct canon told[2][SITES_MAX][ROUND_TYPES];
extern struct canon answered[2][SITES_MAX][ROUND_TYPES];
extern uint32_t at_step[SITES_MAX]; /* of the last announcement, by site */

/* Set by a test: called after the message was recorded. */
extern enum fate (*attack)(
    size_t site, enum round_type type, struct canon *msg);
extern enum fate (*lie)(size_t site, enum round_type type, struct canon *msg);
/* Set by a test: in the first two steps nobody is told the list or the
   certificate before site 0, whoever the machine runs first. */
extern bool victim_first;

/* Start recording; after consortium_start(). */
void forge_start(void);
void forge_stop(void);

/* What was told to site in the present step. */
const struct canon *last_told(size_t site, enum round_type type);
const struct canon *last_said(size_t site, enum round_type type);

struct canon copy_of(const struct canon *msg);
/* The content of a signed message, and it signed anew: by s, or the
   coordinator. */
struct canon content_of(const struct canon *msg, const char *type);
struct canon signed_anew(
    const struct site *s, const char *type, struct canon content);

void true_announce(size_t site, struct round_about *about);
struct canon announce_of(const struct round_about *about);
void true_roster(size_t site, struct roster *r);
struct canon roster_of(const struct roster *r);
/* Its owner (or the outsider) signs it. */
void sign_prekey(const struct key *by, uint16_t site, struct prekey *p);
/* M2 for a site from what all have dealt; in: whose. */
struct canon shareset_of(size_t to, const bool *in);
void true_list(size_t site, struct msg_list *l);
struct canon list_of(const struct msg_list *l);
struct msg_confirm confirm_of(const struct msg_list *l);
/* M6 over f with the signatures of n sites (ids) by keys of keys (indices),
   each over signs (f if NULL). */
struct canon certificate_of(const struct msg_confirm *f,
    const struct msg_confirm *signs, const uint16_t *ids, const size_t *keys,
    size_t n);
struct canon abort_of(size_t site, const char *why);

/* M1 of a site with its header signed anew over what is in shares. */
struct canon shares_of(
    size_t site, const struct roster *r, const struct msg_shares *shares);

#endif
