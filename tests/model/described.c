#include "tests/check.h"

#include "tests/model/described.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "model/contribute.h"

struct described
described_new(size_t n, size_t n_variables, uint32_t n_groups)
{
	struct described d = {
		.n = n,
		.n_variables = n_variables,
		.x = calloc(n * n_variables, sizeof(double)),
		.group = calloc(n, sizeof(uint32_t)),
		.site = calloc(n, sizeof(uint32_t)),
		.spec = {
			.kind = MODEL_SUMMARY,
			.n_strata = 1,
			.n_terms = n_groups,
			.n_variables = (uint32_t)n_variables,
			.summary_bins = 64,
			.risk_set_step = 1,
			.n_sites = DESCRIBED_SITES,
			.rows_per_site = (uint32_t)n,
			.max_iterations = 1,
			.tolerance = 1e-9,
			.concordance_bins = 16,
		},
	};

	assert_true(d.x && d.group && d.site);
	for (size_t i = 0; i < n; i++)
		d.site[i] = (uint32_t)(i % DESCRIBED_SITES);
	for (uint32_t g = 0; g < n_groups; g++)
		snprintf(d.spec.terms[g].name, MODEL_NAME_SIZE, "group %u", g);
	for (size_t v = 0; v < n_variables; v++)
		snprintf(
		    d.spec.variables[v].name, MODEL_NAME_SIZE, "v%zu", v + 1);
	return d;
}

void
described_ranges(struct described *d)
{
	for (size_t v = 0; v < d->n_variables; v++) {
		struct model_variable *m = &d->spec.variables[v];

		if (m->n_levels > 0)
			continue;
		m->min = HUGE_VAL;
		m->max = -HUGE_VAL;
		for (size_t i = 0; i < d->n; i++) {
			m->min = fmin(m->min, *described_x(d, i, v));
			m->max = fmax(m->max, *described_x(d, i, v));
		}
	}
}

/* Cells of a line; returns how many. */
static size_t
cut(char *line, char **cells, size_t max)
{
	size_t n = 0;

	for (char *c = strtok(line, ",\n"); c != NULL && n < max;
	     c = strtok(NULL, ",\n"))
		cells[n++] = c;
	return n;
}

struct described
described_read(const char *name)
{
	char path[1024], line[1024], types[1024], names[1024];
	char *type[64], *cell[64], *title[64];
	struct described d;
	size_t rows = 0, columns;
	uint32_t groups = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/vectors/model/summary_%s.csv",
	    getenv("top_srcdir"), name);
	assert_non_null(f = fopen(path, "re"));
	assert_non_null(fgets(names, sizeof(names), f));
	assert_non_null(fgets(types, sizeof(types), f));
	columns = cut(names, title, 64);
	assert_int_equal(cut(types, type, 64), columns);
	for (; fgets(line, sizeof(line), f) != NULL; rows++)
		if (strtoul(line, NULL, 10) >= groups)
			groups = (uint32_t)strtoul(line, NULL, 10) + 1;
	d = described_new(rows, columns - 1, groups);
	rewind(f);
	assert_non_null(fgets(line, sizeof(line), f));
	assert_non_null(fgets(line, sizeof(line), f));
	for (size_t i = 0; i < rows; i++) {
		assert_non_null(fgets(line, sizeof(line), f));
		assert_int_equal(cut(line, cell, 64), columns);
		d.group[i] = (uint32_t)strtoul(cell[0], NULL, 10);
		for (size_t v = 0; v < columns - 1; v++)
			*described_x(&d, i, v) = strcmp(cell[v + 1], "NA") == 0
			    ? NAN
			    : strtod(cell[v + 1], NULL);
	}
	fclose(f);
	for (size_t v = 0; v < columns - 1; v++) {
		struct model_variable *m = &d.spec.variables[v];

		snprintf(m->name, sizeof(m->name), "%s", title[v + 1]);
		m->whole = *type[v + 1] == 'w';
		if (*type[v + 1] != 'l')
			continue;
		for (size_t i = 0; i < rows; i++)
			if (*described_x(&d, i, v) >= m->n_levels)
				m->n_levels =
				    (uint32_t)*described_x(&d, i, v) + 1;
		m->first_level = d.spec.n_levels;
		for (uint32_t k = 0; k < m->n_levels; k++)
			snprintf(d.spec.levels[d.spec.n_levels++],
			    MODEL_NAME_SIZE, "%u", k);
	}
	described_ranges(&d);
	return d;
}

static void
add_site(const struct described *d, uint32_t site, uint64_t *sum)
{
	size_t n = plan_values(d->plan), m = plan_words(d->plan);
	double *values = calloc(n, sizeof(*values));
	uint64_t *words = calloc(m, sizeof(*words));
	struct model_data data = {
		.x = calloc(1, sizeof(double)),
		.event = calloc(d->n, 1),
		.stratum = calloc(d->n, sizeof(uint32_t)),
		.variables = calloc(d->n * d->n_variables, sizeof(double)),
	};
	struct err err;

	assert_true(values && words && data.x && data.event && data.stratum &&
	    data.variables);
	for (size_t i = 0; i < d->n; i++) {
		if (d->site[i] != site)
			continue;
		data.stratum[data.n_rows] = d->group[i];
		memcpy(data.variables + data.n_rows * d->n_variables,
		    d->x + i * d->n_variables, d->n_variables * sizeof(double));
		data.n_rows++;
	}
	if (contribute(d->plan, &data, values, &err) == -1 ||
	    plan_encode(d->plan, values, n, words, &err) == -1)
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < m; i++)
		sum[i] += words[i];
	free(values);
	free(words);
	free(data.x);
	free(data.event);
	free(data.stratum);
	free(data.variables);
}

void
described_run(struct described *d)
{
	struct err err;

	if ((d->plan = plan_new(&d->spec, &err)) == NULL)
		fail_msg("%s", err.msg);
	while (!plan_done(d->plan)) {
		size_t n = plan_words(d->plan);
		uint64_t *sum = calloc(n, sizeof(*sum));

		assert_non_null(sum);
		for (uint32_t s = 0; s < d->spec.n_sites; s++)
			add_site(d, s, sum);
		if (strcmp(plan_kind(d->plan), "counts") != 0)
			for (size_t i = 0; i < n; i++)
				canon_u64(&d->sums, sum[i]);
		if (plan_step(d->plan, sum, n, d->spec.n_sites, &err) == -1)
			fail_msg("%s", err.msg);
		free(sum);
	}
	plan_save(d->plan, &d->saved);
	if (summary_at(d->plan, &d->state))
		assert_non_null(
		    d->result = summary_read(d->plan, &d->state, &err));
}

void
described_free(struct described *d)
{
	free(d->x);
	free(d->group);
	free(d->site);
	plan_free(d->plan);
	summary_free(d->result);
	canon_free(&d->sums);
	canon_free(&d->saved);
	*d = (struct described){ 0 };
}
