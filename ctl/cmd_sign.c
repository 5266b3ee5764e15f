/*
 * What the root signs: the manifest of its members, and studies.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/hex.h"
#include "common/macros.h"
#include "crypto/manifest.h"
#include "crypto/round.h"
#include "crypto/context.h"
#include "crypto/signed_study.h"
#include "ctl/ctl.h"
#include "ctl/members.h"
#include "ctl/rootkey.h"
#include "model/spec.h"
#include "study/study.h"

struct manifest *
ctl_root_manifest(const char *dir, const struct key *root, struct err *err)
{
	const char *path = ctl_path(dir, "manifest", err);
	struct manifest_roots roots;
	struct manifest *m;
	uint8_t *file;
	size_t len;

	if (path == NULL || rootkey_roots(dir, root, &roots, err) < 0 ||
	    (file = file_read(path, MANIFEST_MAX, &len, err)) == NULL)
		return NULL;
	if ((m = manifest_open(file, len, roots.first, err)) == NULL)
		err_prefix(err, "%s", path);
	free(file);
	return m;
}

/* The epoch of the manifest before, 0 if this is the first. */
static int
last_epoch(
    const char *dir, const struct key *root, uint32_t *epoch, struct err *err)
{
	const char *path = ctl_path(dir, "manifest", err);
	struct manifest *last;

	*epoch = 0;
	if (path == NULL)
		return -1;
	if (access(path, F_OK) != 0)
		return 0;
	if ((last = ctl_root_manifest(dir, root, err)) == NULL)
		return -1;
	*epoch = last->epoch;
	manifest_free(last);
	return 0;
}

/* "aes-256-ctr", "chacha20" or both; bit s - 1 is suite s. */
static int
set_suites(const char *list, uint32_t *suites, struct err *err)
{
	static const char *const names[] = { "aes-256-ctr", "chacha20" };
	const char *rest = list;

	for (*suites = 0; rest != NULL;) {
		size_t len = strcspn(rest, ","), i = 0;

		while (i < nitems(names) &&
		    (strlen(names[i]) != len ||
			strncmp(names[i], rest, len) != 0))
			i++;
		if (i == nitems(names))
			return err_set(err, ERR_CONFIG,
			    "--suites: expected aes-256-ctr, chacha20 or both "
			    "with a comma between");
		*suites |= 1u << i;
		rest = rest[len] == ',' ? rest + len + 1 : NULL;
	}
	return 0;
}

static int
set_policy(const struct ctl_args *a, struct manifest_policy *p, struct err *err)
{
	uint64_t c, h;

	*p = manifest_policy_default();
	if (a->opt[CTL_CORRUPTED] != NULL) {
		if (ctl_number("--corrupted", a->opt[CTL_CORRUPTED], 1,
			MANIFEST_SITES_MAX, &c, err) < 0)
			return -1;
		p->corrupted = (uint16_t)c;
	}
	if (a->opt[CTL_HONEST_MIN] != NULL) {
		if (ctl_number("--honest-min", a->opt[CTL_HONEST_MIN], 2,
			MANIFEST_SITES_MAX, &h, err) < 0)
			return -1;
		p->honest_min = (uint16_t)h;
	}
	if (a->opt[CTL_SUITES] != NULL)
		return set_suites(a->opt[CTL_SUITES], &p->suites, err);
	return 0;
}

static int
set_epoch(const struct ctl_args *a, const struct key *root, uint32_t *epoch,
    struct err *err)
{
	uint32_t last;
	uint64_t n;

	if (last_epoch(a->opt[CTL_ROOT], root, &last, err) < 0)
		return -1;
	n = (uint64_t)last + 1;
	/* Members take only what is newer than what they have. */
	if (a->opt[CTL_EPOCH] != NULL &&
	    ctl_number("--epoch", a->opt[CTL_EPOCH], n, UINT32_MAX, &n, err) <
		0)
		return -1;
	*epoch = (uint32_t)n;
	return 0;
}

/* Keep the root's own copy first: the next epoch counts from it. */
static int
write_manifest(
    const struct ctl_args *a, const struct canon *out, struct err *err)
{
	const char *own = ctl_path(a->opt[CTL_ROOT], "manifest", err);

	if (own == NULL || file_write(own, out->data, out->len, 0644, err) < 0)
		return -1;
	return file_write(a->opt[CTL_OUT], out->data, out->len, 0644, err);
}

/*
 * The fewest sites with which a study could keep the rules, from min to max on;
 * 0 if there is no such number.
 */
static size_t
fewest_sites(const struct manifest_policy *p, size_t min, size_t max)
{
	const struct round_rules rules = {
		.corrupted = p->corrupted,
		.honest_min = p->honest_min,
		.u_frac_ppm = p->u_frac_ppm,
		.suite = ROUND_AES256CTR,
		.bits = 64,
		.verify = ROUND_REPLAY,
		.cohort = ROUND_OPEN,
	};
	struct round_params params;
	struct err why;

	for (size_t n = min; n <= max; n++)
		if (round_params(&rules, n, n, &params, &why) == 0)
			return n;
	return 0;
}

/* Rules that are asked for can be kept by the members that there are. */
static int
check_policy(const struct ctl_args *a, const struct manifest *m, size_t active,
    struct err *err)
{
	if ((a->opt[CTL_CORRUPTED] == NULL && a->opt[CTL_HONEST_MIN] == NULL) ||
	    fewest_sites(&m->policy, 1, active) != 0)
		return 0;
	return err_set(err, ERR_CONFIG,
	    "no study could be signed: up to %u corrupted sites and at least "
	    "%u honest inputs need %zu sites, active: %zu",
	    m->policy.corrupted, m->policy.honest_min,
	    fewest_sites(&m->policy, active + 1, MANIFEST_SITES_MAX), active);
}

int
ctl_manifest_sign(const struct ctl_args *a, struct err *err)
{
	const char *list = ctl_path(a->opt[CTL_ROOT], "members", err);
	struct members *members = NULL;
	struct manifest_site *sites = NULL;
	struct manifest m = { 0 };
	struct canon out = { 0 };
	struct key *root;
	size_t active = 0;
	int rv = -1;

	if (list == NULL ||
	    (root = rootkey_load(
		 a->opt[CTL_ROOT], a->opt[CTL_PASSPHRASE_FILE], err)) == NULL)
		return -1;
	if ((members = members_load(list, err)) == NULL ||
	    rootkey_roots(a->opt[CTL_ROOT], root, &m.roots, err) < 0 ||
	    set_policy(a, &m.policy, err) < 0 ||
	    set_epoch(a, root, &m.epoch, err) < 0)
		goto out;
	if (members_coordinator(members) == NULL) {
		err_set(err, ERR_CONFIG, "%s: no coordinator has joined so far",
		    list);
		goto out;
	}
	strcpy(m.consortium, members_consortium(members));
	m.coordinator = *members_coordinator(members);
	members_sites(members, &m.n_sites);
	sites = malloc((m.n_sites + 1) * sizeof(*sites));
	if (sites == NULL) {
		err_sys(err, "manifest");
		goto out;
	}
	memcpy(sites, members_sites(members, &m.n_sites),
	    m.n_sites * sizeof(*sites));
	m.sites = sites;
	for (size_t i = 0; i < m.n_sites; i++)
		active += m.sites[i].active;
	if (check_policy(a, &m, active, err) < 0 ||
	    manifest_sign(&m, root, &out, err) < 0 ||
	    write_manifest(a, &out, err) < 0)
		goto out;
	printf("manifest of %s, epoch %u: coordinator %s, sites: %zu, "
	       "active: %zu; up to %u corrupted, at least %u honest inputs\n",
	    m.consortium, m.epoch, m.coordinator.name, m.n_sites, active,
	    m.policy.corrupted, m.policy.honest_min);
	rv = 0;
out:
	canon_free(&out);
	free(sites);
	members_free(members);
	key_free(root);
	return rv;
}

static int
by_id(const void *a, const void *b)
{
	const uint16_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* A member that can take part, by its name. */
static int
add_site(struct signed_study *s, const struct manifest *m, const char *name,
    struct err *err)
{
	const struct manifest_site *site = manifest_by_name(m, name);

	if (site == NULL || !site->active)
		return err_set(err, ERR_CONFIG, "%s: %s in the manifest of %s",
		    name, site == NULL ? "no such site" : "a revoked site",
		    m->consortium);
	for (size_t i = 0; i < s->n_sites; i++)
		if (s->sites[i] == site->id)
			return err_set(
			    err, ERR_CONFIG, "%s: is named twice", name);
	if (s->n_sites == MANIFEST_SITES_MAX)
		return err_set(err, ERR_CONFIG, "too many sites");
	s->sites[s->n_sites++] = site->id;
	return 0;
}

/* "a,b,c" */
static int
add_named(struct signed_study *s, const struct manifest *m, const char *names,
    struct err *err)
{
	while (names != NULL) {
		const char *comma = strchr(names, ',');
		size_t len =
		    comma != NULL ? (size_t)(comma - names) : strlen(names);
		char name[MANIFEST_NAME_MAX + 1];

		if (len < 1 || len > MANIFEST_NAME_MAX)
			return err_set(err, ERR_CONFIG,
			    "--sites: expected names with commas between");
		memcpy(name, names, len);
		name[len] = '\0';
		if (add_site(s, m, name, err) < 0)
			return -1;
		names = comma != NULL ? comma + 1 : NULL;
	}
	return 0;
}

/* The study's text and the option name the same sites, or one is silent. */
static int
choose_sites(struct signed_study *s, const struct manifest *m,
    const struct study *study, const char *names, struct err *err)
{
	if (names != NULL && add_named(s, m, names, err) < 0)
		return -1;
	if (names == NULL && study->sites.n == 0) {
		for (size_t i = 0; i < m->n_sites; i++)
			if (m->sites[i].active)
				s->sites[s->n_sites++] = m->sites[i].id;
	}
	for (size_t i = 0; names == NULL && i < study->sites.n; i++)
		if (add_site(s, m, study->sites.items[i], err) < 0)
			return -1;
	qsort(s->sites, s->n_sites, sizeof(*s->sites), by_id);
	if (names == NULL || study->sites.n == 0)
		return 0;
	for (size_t i = 0; i < study->sites.n; i++) {
		const struct manifest_site *site =
		    manifest_by_name(m, study->sites.items[i]);

		if (study->sites.n != s->n_sites || site == NULL ||
		    signed_study_index(s, site->id) == SIZE_MAX)
			return err_set(err, ERR_CONFIG,
			    "--sites: the study's file names other sites");
	}
	return 0;
}

/* Could so many sites make a round by these rules?  p says how. */
static int
check_rules(const struct signed_study *s, const struct manifest *m,
    const struct study *study, struct round_params *p, struct err *err)
{
	struct context c;

	if (round_params(
		&context_fill(&c, m, s, study_suite(study), study_bits(study),
		    study_verify(study), study_cohort(study))
		     ->rules,
		s->n_sites, s->n_sites, p, err) == 0)
		return 0;
	return err_prefix(err,
	    "by the manifest last signed, epoch %u (up to %u corrupted sites, "
	    "at least %u honest inputs)",
	    m->epoch, m->policy.corrupted, m->policy.honest_min);
}

static void
print_signed(const struct signed_study *s, const struct manifest *m,
    const struct study *study, const struct round_params *p,
    const struct canon *out)
{
	uint8_t digest[SIGNED_DIGEST];
	char hex[2 * SIGNED_DIGEST + 1];

	signed_digest(out->data, out->len, digest);
	hex_text(digest, sizeof(digest), hex);
	printf("study %s for", study->name);
	for (size_t i = 0; i < s->n_sites; i++)
		printf("%s %s", i == 0 ? "" : ",",
		    manifest_by_id(m, s->sites[i])->member.name);
	printf("\nat least %u inputs in every sum, up to %u absent, up to %u "
	       "corrupted\ndigest %s\n",
	    p->u_min, p->d_max, p->corrupted, hex);
}

static int
sign_study(const struct ctl_args *a, const struct key *root,
    const struct manifest *m, const struct study *study, struct signed_study *s,
    struct err *err)
{
	static struct model_spec spec; /* some KiB */
	struct round_params p;
	struct canon out = { 0 };
	int rv = -1;

	if (choose_sites(s, m, study, a->opt[CTL_SITES], err) < 0)
		return -1;
	if (study->expires < clock_utc() / 86400)
		return err_set(err, ERR_CONFIG,
		    "%s: the study has expired: see expires", a->operand);
	s->epoch = m->epoch;
	memcpy(s->consortium_id, m->consortium_id, MANIFEST_ID);
	if (study_model_spec(study, s->n_sites, &spec, err) < 0 ||
	    model_spec_check(&spec, err) < 0 ||
	    check_rules(s, m, study, &p, err) < 0 ||
	    signed_study_sign(s, root, &out, err) < 0)
		err_prefix(err, "%s", a->operand);
	else if ((rv = file_write(
		      a->opt[CTL_OUT], out.data, out.len, 0644, err)) == 0)
		print_signed(s, m, study, &p, &out);
	canon_free(&out);
	return rv;
}

/* Members know a root by the manifest. */
static int
check_root(const struct manifest *m, const struct key *root, struct err *err)
{
	if (memcmp(manifest_root(&m->roots), key_public(root), KEY_PUBLIC) == 0)
		return 0;
	return err_set(err, ERR_CONFIG,
	    "the manifest is of another root than root.key: sign one first");
}

int
ctl_study_sign(const struct ctl_args *a, struct err *err)
{
	uint16_t sites[MANIFEST_SITES_MAX];
	struct signed_study s = { .sites = sites };
	struct study *study = NULL;
	struct manifest *m = NULL;
	struct key *root = NULL;
	int rv = -1;

	s.text =
	    (char *)file_read(a->operand, STUDY_TEXT_MAX, &s.text_len, err);
	if (s.text == NULL)
		return -1;
	/* The bytes that are checked are the bytes that are signed. */
	study = study_parse(a->operand, s.text, s.text_len, err);
	if (study != NULL &&
	    (root = rootkey_load(
		 a->opt[CTL_ROOT], a->opt[CTL_PASSPHRASE_FILE], err)) != NULL &&
	    (m = ctl_root_manifest(a->opt[CTL_ROOT], root, err)) != NULL &&
	    check_root(m, root, err) == 0)
		rv = sign_study(a, root, m, study, &s, err);
	manifest_free(m);
	key_free(root);
	study_free(study);
	free(s.text);
	return rv;
}
