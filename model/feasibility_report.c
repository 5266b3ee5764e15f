/* Who could take part: result.json and result.txt. */
#include <inttypes.h>

#include "common/canon.h"
#include "common/json.h"
#include "common/macros.h"
#include "model/report.h"
#include "model/step/feasibility.h"

static void
json_count(struct json *j, const char *key, uint64_t n)
{
	if (n == FEASIBILITY_HIDDEN)
		json_null(j, key);
	else
		json_int(j, key, (int64_t)n);
}

/* What the columns alone say of the complete rows: nothing that is hidden. */
static void
bounds(const struct plan *p, uint64_t *least, uint64_t *most)
{
	uint64_t hidden = p->spec.risk_set_step - 1;

	*least = *most = p->n;
	for (size_t i = FEASIBILITY_MISSING; i < p->n_cells; i++) {
		bool is_hidden = p->cells[i] == FEASIBILITY_HIDDEN;
		uint64_t n = is_hidden ? hidden : p->cells[i];

		*least -= MIN(*least, n);
		if (!is_hidden)
			*most = MIN(*most, p->n - n);
	}
}

static int
json_body(const struct plan *p, const struct result *r, struct json *j,
    struct err *err)
{
	const uint64_t *c = p->cells;
	uint64_t least, most;

	(void)r;
	(void)err;
	json_int(j, "sites", p->spec.n_sites);
	json_int(j, "smallest_cell", p->spec.risk_set_step);
	json_int(j, "terms", p->spec.n_terms);
	if (p->status != FIT_OK)
		return 0;
	bounds(p, &least, &most);
	json_int(j, "n", (int64_t)c[FEASIBILITY_N]);
	json_count(j, "eligible", c[FEASIBILITY_COMPLETE]);
	json_int(j, "eligible_at_least", (int64_t)least);
	json_int(j, "eligible_at_most", (int64_t)most);
	if (!p->spec.has_y)
		json_count(j, "events", c[FEASIBILITY_EVENTS]);
	json_count(j, "sites_with_eligible", c[FEASIBILITY_SITES_WITH]);
	json_array(j, "columns");
	for (uint32_t v = 0; v < p->spec.n_variables; v++) {
		json_object(j, NULL);
		json_text(j, "name", p->spec.variables[v].name);
		json_count(j, "missing", c[FEASIBILITY_MISSING + v]);
		json_end_object(j);
	}
	json_end_array(j);
	return 0;
}

static int
text_body(const struct plan *p, const struct result *r, struct canon *out,
    struct err *err)
{
	const uint64_t *c = p->cells;
	uint64_t least, most;

	(void)r;
	(void)err;
	if (p->status != FIT_OK)
		return 0;
	bounds(p, &least, &most);
	report_print(out, "%-24s %" PRIu64 "\n", "Patients", c[FEASIBILITY_N]);
	if (c[FEASIBILITY_COMPLETE] != FEASIBILITY_HIDDEN)
		report_print(out, "%-24s %" PRIu64 "\n", "  with all columns",
		    c[FEASIBILITY_COMPLETE]);
	else
		report_print(out, "%-24s %" PRIu64 " to %" PRIu64 "\n",
		    "  with all columns", least, most);
	if (!p->spec.has_y && c[FEASIBILITY_EVENTS] != FEASIBILITY_HIDDEN)
		report_print(out,
		    "%-24s %" PRIu64 ", %.1f per term of %" PRIu32 "\n",
		    "  of these with the event", c[FEASIBILITY_EVENTS],
		    (double)c[FEASIBILITY_EVENTS] / p->spec.n_terms,
		    p->spec.n_terms);
	else if (!p->spec.has_y)
		report_print(out, "%-24s not shown, see below\n",
		    "  of these with the event");
	report_print(out, "%-24s %" PRIu64 " of %" PRIu32 "\n",
	    "Sites that have some", c[FEASIBILITY_SITES_WITH], p->spec.n_sites);
	report_print(out, "\n%-24s %10s\n", "column", "missing");
	for (uint32_t v = 0; v < p->spec.n_variables; v++) {
		uint64_t n = c[FEASIBILITY_MISSING + v];

		if (n == FEASIBILITY_HIDDEN)
			report_print(out, "%-24s %10s\n",
			    p->spec.variables[v].name, "not shown");
		else
			report_print(out, "%-24s %10" PRIu64 " (%.1f%%)\n",
			    p->spec.variables[v].name, n,
			    100.0 * (double)n / (double)p->n);
	}
	report_print(out, "\n");
	return 0;
}

static void
warn(const struct plan *p, struct result *r)
{
	bool hidden = false;

	for (size_t i = 0; i < p->n_cells; i++)
		hidden = hidden || p->cells[i] == FEASIBILITY_HIDDEN;
	if (hidden && p->status == FIT_OK)
		result_warn(r,
		    "not shown: what is about fewer than %" PRIu32 " patients "
		    "(or about all but so few), about fewer than %d sites, or "
		    "would give such a number away",
		    p->spec.risk_set_step, PLAN_SITES);
}

const struct report_kind report_feasibility = {
	.kind = "feasibility",
	.heading = "Who could take part",
	.per_term = "patients",
	.warn = warn,
	.json = json_body,
	.text = text_body,
};
