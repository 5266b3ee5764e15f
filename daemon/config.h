/*
 * The configuration of consiliumd (consiliumd.conf(5)).  Read once, by the
 * parent; the other processes get what they need of it from him.
 */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "common/ini.h"

struct err;
struct study;

#define SITE_OFFICERS_MAX 16
#define SITE_SOURCES_MAX 256
#define SITE_OFFICER_KEY_LEN 32 /* Ed25519 */

/* The floor under every study: what this hospital takes part in. */
struct site_policy {
	struct ini_list purposes; /* patterns as in fnmatch(3) */
	size_t smallest_k;
	size_t smallest_sites;
	size_t smallest_risk_set_step; /* patients */
	size_t smallest_cell; /* patients; of studies that have cells */
	size_t smallest_events_per_term; /* of studies that have terms */
	double most_whole_numbers; /* in the range of a whole number */
	size_t keep_uploads; /* most rounds that uploads may be kept for */
	size_t keep_tables; /* days after a study's end */
	double largest_suppression; /* share of the rows */
	double largest_average_risk; /* 1: any */
	double smallest_diversity; /* 1: any */
	double largest_closeness; /* 1: any */
	/* learning: of one study, and of all together, for one patient */
	double largest_epsilon, total_epsilon, largest_delta;
	int cohort; /* enum study_cohort: STUDY_OPEN accepts both */
	int verify; /* enum study_verify: the weakest that is accepted */
};

struct site_source {
	char *study; /* NULL: for every study that has no source of its own */
	char *csv; /* path */
	char *patient; /* its column that says who it is; or NULL */
	char *objections; /* path of the list; or NULL */
};

struct site_config {
	char *name; /* of the site */
	char *language; /* of reports, as its catalogue is called; NULL:
			   English */
	char *state, *keys; /* folders */
	struct ini_address coordinator;
	char *server_name; /* in the coordinator's certificate */
	struct ini_address proxy; /* proxy.host is NULL: none */
	uint8_t officers[SITE_OFFICERS_MAX][SITE_OFFICER_KEY_LEN];
	size_t n_officers;
	struct site_source sources[SITE_SOURCES_MAX];
	size_t n_sources;
	struct site_policy policy;
	char *socket; /* of process control */
	char *operator_group, *officer_group; /* or NULL: the daemon's user
						 alone */
	struct ini_address board; /* board.host is NULL: none */
	int sandbox; /* enum house_sandbox (privsep/house.h) */
	struct ini *ini; /* owns all text */
};

/* NULL with ERR_CONFIG, or ERR_SYSTEM if path cannot be read. */
struct site_config *site_config_load(const char *path, struct err *err);
struct site_config *site_config_parse(
    const char *name, const void *text, size_t len, struct err *err);
void site_config_free(struct site_config *c); /* NULL is fine */

/* A study's source, or NULL with ERR_CONFIG. */
const struct site_source *site_config_source(
    const struct site_config *c, const char *study, struct err *err);

/* May this hospital take part in a study of n_sites sites?  0, or -1 with
   ERR_REFUSED and the reason. */
int site_policy_check(const struct site_policy *p, const struct study *s,
    size_t n_sites, struct err *err);

#endif
