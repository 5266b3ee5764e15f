#include "tests/check.h"

#include "tests/model/consortium.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/macros.h"
#include "model/contribute.h"

struct rows
rows_new(size_t n, size_t n_terms)
{
	struct rows r = { .n = n, .n_terms = n_terms };

	r.x = calloc(n * n_terms + 1, sizeof(*r.x));
	r.event = calloc(n + 1, sizeof(*r.event));
	r.y = calloc(n + 1, sizeof(*r.y));
	r.time = calloc(n + 1, sizeof(*r.time));
	r.stratum = calloc(n + 1, sizeof(*r.stratum));
	r.offset = calloc(n + 1, sizeof(*r.offset));
	r.weight = calloc(n + 1, sizeof(*r.weight));
	assert_true(r.x && r.y && r.event && r.time && r.stratum && r.offset &&
	    r.weight);
	for (size_t k = 0; k < n_terms; k++)
		snprintf(r.names[k], sizeof(r.names[k]), "x%zu", k + 1);
	return r;
}

static void
read_line(struct rows *r, size_t i, char *line, const int *place)
{
	size_t column = 0;

	for (char *cell = strtok(line, ",\n"); cell != NULL;
	     cell = strtok(NULL, ",\n"), column++) {
		double v = strtod(cell, NULL);

		if (place[column] == -1)
			r->event[i] = (uint8_t)v;
		else if (place[column] == -4)
			r->y[i] = v;
		else if (place[column] == -2)
			r->time[i] = v;
		else if (place[column] == -3)
			r->stratum[i] = (uint32_t)v;
		else if (place[column] == -5)
			r->offset[i] = v;
		else if (place[column] == -6)
			r->weight[i] = v;
		else if (place[column] == -7)
			r->patient[i] = (uint32_t)v;
		else if (place[column] == -8)
			r->entry[i] = v;
		else
			r->x[i * r->n_terms + (size_t)place[column]] = v;
	}
}

struct rows
rows_read(const char *name)
{
	char path[1024], line[4096];
	char names[MODEL_TERMS_MAX][MODEL_NAME_SIZE];
	int place[MODEL_TERMS_MAX + 8];
	size_t n = 0, n_terms = 0, column = 0;
	struct rows r;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/vectors/model/%s",
	    getenv("top_srcdir"), name);
	assert_non_null(f = fopen(path, "re"));
	assert_non_null(fgets(line, sizeof(line), f));
	for (char *cell = strtok(line, ",\n"); cell != NULL;
	     cell = strtok(NULL, ",\n"), column++) {
		place[column] = strcmp(cell, "event") == 0 ? -1
		    : strcmp(cell, "time") == 0            ? -2
		    : strcmp(cell, "stratum") == 0         ? -3
		    : strcmp(cell, "y") == 0               ? -4
		    : strcmp(cell, "offset") == 0          ? -5
		    : strcmp(cell, "weight") == 0          ? -6
		    : strcmp(cell, "patient") == 0         ? -7
		    : strcmp(cell, "entry") == 0           ? -8
							   : (int)n_terms;
		if (place[column] >= 0)
			snprintf(names[n_terms++], MODEL_NAME_SIZE, "%s", cell);
	}
	while (fgets(line, sizeof(line), f) != NULL)
		n++;
	r = rows_new(n, n_terms);
	memcpy(r.names, names, sizeof(names[0]) * n_terms);
	for (size_t k = 0; k < column; k++) {
		if (place[k] == -7)
			r.patient = calloc(n + 1, sizeof(*r.patient));
		else if (place[k] == -8)
			r.entry = calloc(n + 1, sizeof(*r.entry));
		assert_true(place[k] != -7 || r.patient != NULL);
		assert_true(place[k] != -8 || r.entry != NULL);
	}
	rewind(f);
	assert_non_null(fgets(line, sizeof(line), f));
	for (size_t i = 0; i < n; i++) {
		assert_non_null(fgets(line, sizeof(line), f));
		read_line(&r, i, line, place);
	}
	fclose(f);
	return r;
}

void
rows_free(struct rows *r)
{
	free(r->x);
	free(r->event);
	free(r->y);
	free(r->time);
	free(r->stratum);
	free(r->offset);
	free(r->weight);
	free(r->patient);
	free(r->entry);
}

struct model_spec
spec_for(const struct rows *r, enum model_kind kind, uint32_t n_sites)
{
	struct model_spec s = {
		.kind = kind,
		.n_strata = 1,
		.n_terms = (uint32_t)r->n_terms,
		.risk_set_step = 1,
		.n_sites = n_sites,
		.rows_per_site = (uint32_t)MAX(r->n, (size_t)1),
		.max_iterations = 50,
		.tolerance = 1e-9,
		.concordance_bins = 4096,
		.time_step = 1.0,
	};
	double last = 0.0;

	for (size_t k = 0; k < r->n_terms; k++) {
		struct model_term *t = &s.terms[k];

		memcpy(t->name, r->names[k], sizeof(t->name));
		t->min = HUGE_VAL;
		t->max = -HUGE_VAL;
		for (size_t i = 0; i < r->n; i++) {
			t->min = fmin(t->min, r->x[i * r->n_terms + k]);
			t->max = fmax(t->max, r->x[i * r->n_terms + k]);
		}
	}
	for (size_t i = 0; i < r->n; i++)
		last = fmax(last, r->time[i]);
	if (model_kind_has_y(kind)) {
		s.y_min = HUGE_VAL;
		s.y_max = -HUGE_VAL;
		for (size_t i = 0; i < r->n; i++) {
			s.y_min = fmin(s.y_min, r->y[i]);
			s.y_max = fmax(s.y_max, r->y[i]);
		}
	}
	for (size_t i = 0; i < r->n; i++) {
		s.offset_max = fmax(s.offset_max, fabs(r->offset[i]));
		s.weight_max = fmax(s.weight_max, r->weight[i]);
	}
	s.theta = 1.5;
	s.rho = 1.0;
	s.has_entry = r->entry != NULL;
	if (kind == MODEL_COX)
		s.n_times = (uint32_t)last + 1;
	return s;
}

uint32_t
deal_in_turn(const struct rows *r, size_t i, uint32_t n_sites)
{
	(void)r;
	return (uint32_t)(i % n_sites);
}

uint32_t
deal_by_stratum(const struct rows *r, size_t i, uint32_t n_sites)
{
	return r->stratum[i] % n_sites;
}

static void
give_row(struct model_data *d, const struct rows *r, size_t i)
{
	size_t at = d->n_rows++;

	memcpy(d->x + at * r->n_terms, r->x + i * r->n_terms,
	    r->n_terms * sizeof(*d->x));
	d->event[at] = r->event[i];
	d->y[at] = r->y[i];
	d->time_index[at] = (uint32_t)r->time[i];
	d->stratum[at] = r->stratum[i];
	d->offset[at] = r->offset[i];
	d->weight[at] = r->weight[i];
	if (r->patient != NULL)
		d->patient[at] = r->patient[i];
	if (r->entry != NULL)
		d->entry[at] = (uint32_t)r->entry[i];
}

void
consortium_open(struct consortium *c, const struct model_spec *spec,
    const struct rows *r, deal_fn deal)
{
	struct err err;

	*c = (struct consortium){ .spec = *spec };
	for (uint32_t s = 0; s < spec->n_sites; s++) {
		struct model_data *d = &c->site[s];

		d->n_terms = r->n_terms;
		d->x = calloc(r->n * r->n_terms + 1, sizeof(*d->x));
		d->event = calloc(r->n + 1, sizeof(*d->event));
		d->y = calloc(r->n + 1, sizeof(*d->y));
		d->time_index = calloc(r->n + 1, sizeof(*d->time_index));
		d->stratum = calloc(r->n + 1, sizeof(*d->stratum));
		d->offset = calloc(r->n + 1, sizeof(*d->offset));
		d->weight = calloc(r->n + 1, sizeof(*d->weight));
		if (r->entry != NULL) {
			d->entry = calloc(r->n + 1, sizeof(*d->entry));
			assert_non_null(d->entry);
		}
		if (r->patient != NULL) {
			d->patient = calloc(r->n + 1, sizeof(*d->patient));
			assert_non_null(d->patient);
			d->n_patients = r->n;
		}
		assert_true(d->x && d->y && d->event && d->time_index &&
		    d->stratum && d->offset && d->weight);
	}
	for (size_t i = 0; i < r->n; i++)
		give_row(&c->site[deal(r, i, spec->n_sites)], r, i);
	if ((c->plan = plan_new(spec, &err)) == NULL)
		fail_msg("%s", err.msg);
}

void
consortium_close(struct consortium *c)
{
	for (uint32_t s = 0; s < c->spec.n_sites; s++) {
		free(c->site[s].x);
		free(c->site[s].event);
		free(c->site[s].y);
		free(c->site[s].time_index);
		free(c->site[s].stratum);
		free(c->site[s].offset);
		free(c->site[s].weight);
		free(c->site[s].patient);
		free(c->site[s].entry);
	}
	plan_free(c->plan);
}

uint64_t *
consortium_sum(struct consortium *c)
{
	size_t n = plan_values(c->plan), m = plan_words(c->plan);
	double *values = calloc(n, sizeof(*values));
	uint64_t *words = calloc(m, sizeof(*words));
	uint64_t *sum = calloc(m, sizeof(*sum));
	struct err err;

	assert_true(values && words && sum);
	for (uint32_t s = 0; s < c->spec.n_sites; s++) {
		if (contribute(c->plan, &c->site[s], values, &err) == -1 ||
		    plan_encode(c->plan, values, n, words, &err) == -1)
			fail_msg("%s", err.msg);
		for (size_t i = 0; i < m; i++)
			sum[i] += words[i];
	}
	free(values);
	free(words);
	return sum;
}

void
consortium_round(struct consortium *c)
{
	uint64_t *sum = consortium_sum(c);
	size_t m = plan_words(c->plan);
	struct err err;

	if (plan_step(c->plan, sum, m, c->spec.n_sites, &err) == -1)
		fail_msg("%s", err.msg);
	c->rounds++;
	c->longest = MAX(c->longest, m);
	free(sum);
}

void
consortium_run(struct consortium *c)
{
	while (!plan_done(c->plan)) {
		consortium_round(c);
		assert_true(c->rounds < 200);
	}
}

struct result
consortium_result(struct consortium *c)
{
	struct result r;
	struct err err;

	if (result_read(c->plan, &r, &err) == -1)
		fail_msg("%s", err.msg);
	return r;
}

const struct result_term *
term_named(const struct result *r, const char *name)
{
	for (size_t i = 0; i < r->n_terms; i++) {
		if (strcmp(r->terms[i].name, name) == 0)
			return &r->terms[i];
	}
	fail_msg("no term %s", name);
	return NULL;
}
