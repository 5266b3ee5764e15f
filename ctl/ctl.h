/*
 * consiliumctl: what its commands have in common.  A command reads its
 * arguments, does its work and prints to standard output; why it failed is in
 * *err, which main() prints.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct join_request;
struct key;
struct manifest;

enum ctl_opt {
	CTL_CHAIN, /* "" where it was given */
	CTL_CHECKPOINT,
	CTL_CONSORTIUM,
	CTL_COORDINATOR_KEY,
	CTL_CORRUPTED,
	CTL_COUNTS,
	CTL_CSV,
	CTL_DIR,
	CTL_EPOCH,
	CTL_EVENT,
	CTL_EXPECT,
	CTL_FEASIBILITY,
	CTL_HONEST_MIN,
	CTL_HOST,
	CTL_ICD10, /* "" where it was given */
	CTL_K,
	CTL_KEY,
	CTL_KIND,
	CTL_LOINC,
	CTL_NAME,
	CTL_NO_PASSPHRASE, /* "" where it was given */
	CTL_OUT,
	CTL_OUTCOME,
	CTL_PASSPHRASE_FILE,
	CTL_PUBLIC_KEY,
	CTL_REPLACE, /* "" where it was given */
	CTL_REPORT,
	CTL_RESULT,
	CTL_ROOT,
	CTL_ROOT_KEY,
	CTL_ROUND,
	CTL_ROWS,
	CTL_SITES,
	CTL_SOCKET,
	CTL_STATE,
	CTL_SUITES,
	CTL_TIME,
	CTL_OPTS
};

struct ctl_args {
	const char *opt[CTL_OPTS]; /* NULL where it was not given */
	const char *operand; /* NULL where it was not given */
	bool json;
	const char *command; /* its words */
};

typedef int ctl_fn(const struct ctl_args *a, struct err *err);

/* cmd_enrol.c */
ctl_fn ctl_root_init, ctl_coordinator_init, ctl_site_init, ctl_officer_init,
    ctl_join, ctl_welcome;
/* cmd_audit_of.c */
ctl_fn ctl_audit_of, ctl_audit_objections;
/* cmd_certificates.c */
ctl_fn ctl_certificates_check;
/* cmd_renew.c */
ctl_fn ctl_root_rotate, ctl_root_adopt, ctl_site_reset;
/* cmd_sign.c */
ctl_fn ctl_manifest_sign, ctl_study_sign;
/* cmd_study.c */
ctl_fn ctl_study_init, ctl_study_check, ctl_study_hierarchy, ctl_study_recode;
/* cmd_feasibility.c */
ctl_fn ctl_study_feasibility;
/* cmd_audit.c */
ctl_fn ctl_audit_verify, ctl_audit_show, ctl_audit_export, ctl_audit_replay;
/* cmd_report.c */
ctl_fn ctl_report_verify;
/* cmd_online.c */
ctl_fn ctl_submit, ctl_ask, ctl_report, ctl_decide, ctl_result, ctl_transcript;

/* The manifest that root, or one that it followed, last signed in its folder;
   the caller frees it. */
struct manifest *ctl_root_manifest(
    const char *dir, const struct key *root, struct err *err);

/* A public key in hexadecimal, or in a file of that name. */
int ctl_public_key(
    const char *name, const char *value, uint8_t pk[32], struct err *err);

/* The request to join in a file.  *r is good only if 0 is returned. */
int ctl_join_request(const char *path, struct join_request *r, struct err *err);

/* A whole number from min to max that is all of s; name is the option's. */
int ctl_number(const char *name, const char *s, uint64_t min, uint64_t max,
    uint64_t *v, struct err *err);

/* "DIR/NAME" (NAME where dir is NULL) in memory that lasts until
   ctl_paths_free(); NULL if it is too long. */
const char *ctl_path(const char *dir, const char *name, struct err *err);
void ctl_paths_free(void);

#endif
