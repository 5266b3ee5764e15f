/*
 * The study, its grid and its tables in the words of the independent check.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "anonymize/prepare.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/json_read.h"
#include "ctl/local_check.h"
#include "study/study.h"

static enum pooled_family
family_of(const struct study_model *m)
{
	static const enum pooled_family families[] = {
		[STUDY_GAUSSIAN] = POOLED_GAUSSIAN,
		[STUDY_BINOMIAL] = POOLED_TRIALS,
		[STUDY_POISSON] = POOLED_POISSON,
		[STUDY_QUASIPOISSON] = POOLED_QUASIPOISSON,
		[STUDY_GAMMA] = POOLED_GAMMA,
		[STUDY_NEGBIN] = POOLED_NEGBIN,
		[STUDY_QUASIBINOMIAL] = POOLED_QUASIBINOMIAL,
	};

	return m->kind == STUDY_GLM ? families[m->family] : POOLED_BINOMIAL;
}

static struct pooled_factor
factor_of(const struct study *s, const struct study_factor *f)
{
	struct pooled_factor out = {
		.column = s->columns[f->column].name,
		.level = f->fn == STUDY_LEVEL ? f->level : POOLED_NUMBER,
		.log = f->fn == STUDY_LOG,
		.power = f->fn == STUDY_POWER ? f->power : 1,
	};

	if (f->fn == STUDY_SPLINE) {
		out.knots = f->knots;
		out.n_knots = f->n_knots;
		out.spline = f->spline;
	}
	return out;
}

int
check_model(struct check *c, struct err *err)
{
	const struct study *s = c->l->study;
	const struct study_model *m = &s->model;

	bool cells = study_has_cells(s);

	c->terms = calloc(s->n_terms + s->n_variables + 1, sizeof(*c->terms));
	c->strata = calloc(m->n_strata_columns + 1, sizeof(*c->strata));
	if (c->terms == NULL || c->strata == NULL)
		return err_sys(err, "the check");
	for (size_t i = 0; cells && i < s->n_variables; i++)
		c->terms[i] = (struct pooled_term){
			.factors[0] = { .column =
					    s->columns[s->variables[i]].name,
			    .level = POOLED_NUMBER },
			.n_factors = 1,
		};
	for (size_t i = 0; !cells && i < s->n_terms; i++) {
		c->terms[i].n_factors = s->terms[i].n_factors;
		c->terms[i].piece = s->terms[i].piece;
		for (size_t k = 0; k < s->terms[i].n_factors; k++)
			c->terms[i].factors[k] =
			    factor_of(s, &s->terms[i].factors[k]);
	}
	for (size_t i = 0; i < m->n_strata_columns; i++) {
		const struct study_column *column =
		    &s->columns[m->strata_columns[i]];

		c->strata[i] = (struct pooled_stratum){
			.column = column->name,
			.n_levels = study_n_groups(column),
		};
	}
	c->model = (struct pooled_model){
		.cox = m->kind == STUDY_COX,
		.km = study_has_curves(s),
		.causes = m->kind == STUDY_CUMINC,
		.n_groups = s->n_groups,
		.family = family_of(m),
		.efron = m->ties == STUDY_EFRON,
		.terms = c->terms,
		.n_terms = cells ? s->n_variables : s->n_terms,
		.strata_by_site = m->strata == STUDY_STRATA_SITE,
		.strata = c->strata,
		.n_strata =
		    m->feasibility == STUDY_YES ? 0 : m->n_strata_columns,
	};
	if (study_has_time(s))
		c->model.time = s->columns[m->time].name;
	if (m->entry != STUDY_NONE)
		c->model.entry = s->columns[m->entry].name;
	if (m->kind == STUDY_CUMINC) {
		c->model.n_events = s->columns[m->event].n_levels;
		c->model.censored = m->event_level;
	}
	c->model.cuts = m->cuts;
	c->model.n_cuts = m->n_cuts;
	c->model.theta = m->theta;
	c->model.ridge = m->ridge;
	c->model.inverse_link = m->link == STUDY_INVERSE_LINK;
	c->model.errors = m->robust == STUDY_ROBUST_SITE ? POOLED_BY_SITE
	    : m->robust == STUDY_ROBUST_PATIENT          ? POOLED_BY_PATIENT
							 : POOLED_OF_MODEL;
	if (study_links_rows(s))
		c->model.patient = s->columns[s->privacy.patient].name;
	c->model.offset_is_log = m->offset_is_log;
	if (m->offset != STUDY_NONE)
		c->model.offset = s->columns[m->offset].name;
	if (m->weights != STUDY_NONE)
		c->model.weights = s->columns[m->weights].name;
	c->model.event = study_outcome(s) == STUDY_NONE
	    ? c->terms[0].factors[0].column
	    : s->columns[study_outcome(s)].name;
	return 0;
}

int
check_site_grids(struct check *c, const struct pooled *p, struct err *err)
{
	size_t n_sites = c->l->n_sites;
	size_t step = c->l->study->privacy.smallest_risk_set_step;
	double *starts, *lasts;
	size_t n;

	if (!c->model.strata_by_site || c->n_grids != 0)
		return 0;
	if ((c->grids = calloc(n_sites, sizeof(*c->grids))) == NULL)
		return err_sys(err, "the check");
	for (size_t i = 0; i < n_sites; i++) {
		if (pooled_grid_make(p, i, step, &starts, &lasts, &n, err) < 0)
			return -1;
		c->grids[c->n_grids++] = (struct pooled_grid){
			.starts = starts, .n = n, .lasts = lasts
		};
	}
	return 0;
}

/* An array of numbers of a stratum's grid; the caller frees it. */
static int
read_numbers(const struct json_value *stratum, const char *key, double **out,
    size_t *n, struct err *err)
{
	const struct json_value *v = json_get(stratum, key);

	if (v == NULL || v->kind != JSON_ARRAY)
		return err_set(
		    err, ERR_FORMAT, "result.json: no %s in grid.strata", key);
	if ((*out = calloc(v->n + 1, sizeof(**out))) == NULL)
		return err_sys(err, "the check");
	for (size_t k = 0; k < v->n; k++)
		(*out)[k] = v->items[k].number;
	*n = v->n;
	return 0;
}

int
check_grid(struct check *c, struct err *err)
{
	const struct json_value *grid = json_get(c->result, "grid");
	const struct json_value *strata = json_get(grid, "strata");

	if ((!c->model.cox && !c->model.km) || c->model.strata_by_site)
		return 0;
	if (strata == NULL || strata->kind != JSON_ARRAY || strata->n == 0)
		return err_set(err, ERR_FORMAT, "result.json: no grid.strata");
	if ((c->grids = calloc(strata->n, sizeof(*c->grids))) == NULL)
		return err_sys(err, "the check");
	for (size_t i = 0; i < strata->n; i++) {
		double *starts = NULL, *lasts = NULL;
		size_t n, n_lasts;

		if (read_numbers(
			&strata->items[i], "starts", &starts, &n, err) < 0)
			return -1;
		n_lasts = n;
		c->grids[c->n_grids++] =
		    (struct pooled_grid){ .starts = starts, .n = n };
		if ((c->model.entry != NULL || c->model.n_cuts > 0) &&
		    read_numbers(
			&strata->items[i], "lasts", &lasts, &n_lasts, err) < 0)
			return -1;
		c->grids[i].lasts = lasts;
		if (n_lasts != n)
			return err_set(err, ERR_FORMAT,
			    "result.json: not as many lasts as starts");
	}
	return 0;
}

/* The source as it is, without names: a table nobody else ever gets. */
static int
raw_table(const struct study *raw, const struct local_site *s, const char *path,
    struct err *err)
{
	static const uint8_t digest[TABLE_DIGEST_LEN];
	struct prepare_result result;
	struct prepare p = {
		.study = raw,
		.study_digest = digest,
		.site = s->name,
		.source = s->csv,
		.smallest_k = 1,
		.utc = clock_utc(),
		.json_fd = -1,
		.html_fd = -1,
		.raw = true,
	};
	int rv = -1;

	p.source_fd = open(s->csv, O_RDONLY | O_CLOEXEC);
	p.table_fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (p.source_fd < 0 || p.table_fd < 0)
		err_sys(err, "%s", p.source_fd < 0 ? s->csv : path);
	else
		rv = prepare(&p, &result, err);
	if (p.source_fd >= 0)
		close(p.source_fd);
	if (p.table_fd >= 0)
		close(p.table_fd);
	return rv;
}

struct pooled *
check_rows(struct check *c, bool raw, struct err *err)
{
	struct local *l = c->l;
	struct pooled *p = pooled_new(&c->model, err);
	struct study *study = study_load(l->study_path, err);
	int rv = p == NULL || study == NULL ? -1 : 0;

	if (rv == 0 && raw)
		study_keep_numbers(study);

	for (size_t i = 0; rv == 0 && i < l->n_sites; i++) {
		const struct local_site *s = &l->sites[i];
		char *path =
		    local_text(l, "%s/%s", s->dir, raw ? "raw" : "table");

		if (raw)
			rv = raw_table(study, s, path, err);
		if (rv == 0)
			rv = pooled_add(p, i, path, err);
		if (raw)
			unlink(path);
	}
	study_free(study);
	if (rv == 0)
		return p;
	pooled_free(p);
	return NULL;
}
