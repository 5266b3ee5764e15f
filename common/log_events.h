/*
 * The events that a hospital's IT may want to act on.  Each is an entry of the
 * journal with MESSAGE_ID=, which systemd/consilium.catalog explains
 * (journalctl -x).  An id is for ever: it stays with its event, and that of an
 * event that is gone is not used again.  A test holds this list against the
 * catalogue and the manual pages.
 */
#ifndef COMMON_LOG_EVENTS_H
#define COMMON_LOG_EVENTS_H

/* All processes are up. */
#define EVENT_READY "a1b4a960d8304057ba3d4d7e5b0ef8f5"
/* A process ended unasked. */
#define EVENT_PROCESS_GONE "4dc6e2fdf657411d899ca4fbd77fc679"
/* The parent gives up. */
#define EVENT_GAVE_UP "780cb82c529049238aaf6f5eb859d153"
/* A process does not answer. */
#define EVENT_SILENT "a38e55ae35724b9683593b64de1b877c"
/* New certificates are in use. */
#define EVENT_RELOADED "81560868a67d4d4b9673a8006a52c4c8"
/* The new certificates were not taken. */
#define EVENT_NOT_RELOADED "4173eb7158ca477c84c447187ae9c93a"
/* The certificate expires within 30 days. */
#define EVENT_CERT_SOON "7e1c4ac5fe8d477091ed72f016b7e324"
/* The certificate is not good any more. */
#define EVENT_CERT_BAD "1e6a0b001e50488ba2df12e53bf09b26"
/* A new manifest. */
#define EVENT_MANIFEST "65616ff05c9f4d518f7c21d2e28ca595"
/* A study came. */
#define EVENT_STUDY_NEW "d295a6afcd4e48f5886291ac18983f60"
/* A study is below the policy. */
#define EVENT_STUDY_REFUSED "57352e1adb384ef88aa472c4c7c2fc18"
/* A table waits for the officer. */
#define EVENT_PREPARED "d03996ce3e154dc28c2f5d40dd425c34"
/* The officer decided. */
#define EVENT_DECIDED "b7991250639c42a6b940bfdd0ed5ee5a"
/* A preparation or a training failed. */
#define EVENT_JOB_FAILED "cfce7aff4a7947b3bf76cc125e1b0ac5"
/* A message of the coordinator was refused. */
#define EVENT_COORD_REFUSED "7d42da369e4d4cf8b595f0f25f82b74a"
/* The coordinator is not reached. */
#define EVENT_COORD_AWAY "393bfe5971d3448d827f12298e7eb4f1"
/* The coordinator is reached again. */
#define EVENT_COORD_HERE "cb8a90abd62e42f087b30945190ff699"
/* The database is an old one. */
#define EVENT_RESTORED "861748257c4c47998050099a479f0776"
/* A coordinator whose database is an old one gets back what it has lost. */
#define EVENT_RETURNED "9c482dc8699e42dab31b7ab1b67c7864"
/* Nobody has the result of a round that was opened. */
#define EVENT_SUM_LOST "9e60ed5d7bdb41db9259eb1869d9d1af"
/* A site dealt a wrong share. */
#define EVENT_DEALER "9a5820088a9b4aa99121907b5f792880"
/* A round was aborted. */
#define EVENT_ROUND_ENDED "d8c66862e2eb4d3cb518eeb7d7db32e3"
/* A round has its sum. */
#define EVENT_ROUND_SUM "7e6a3114f06446e285bd94d505edee95"
/* A sum is over other sites than the one before. */
#define EVENT_SET_CHANGED "40f56040739d4c189ea0134bb365d757"
/* The coordinator announced a round. */
#define EVENT_ROUND_BEGAN "a9617e6e66f5498c9989188bc2a66864"
/* A message of a site was refused. */
#define EVENT_SITE_REFUSED "c1358365e22a4a14adb84ab98c1f7c20"
/* Too many connections. */
#define EVENT_CROWD "705ebb48177e428c8a1478e6c1287cb0"
/* Somebody without a place in the manifest. */
#define EVENT_STRANGER "4e05aca0e6e54db0895a8f87403ab6cd"

#endif
