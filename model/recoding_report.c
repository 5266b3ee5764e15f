/* One recoding for all sites: the sums, for consiliumctl study recode. */
#include <inttypes.h>

#include "common/json.h"
#include "model/report.h"

static int
json_body(const struct plan *p, const struct result *r, struct json *j,
    struct err *err)
{
	(void)r;
	(void)err;
	json_int(j, "sites", p->spec.n_sites);
	json_int(j, "smallest_cell", p->spec.risk_set_step);
	json_array(j, "items");
	for (size_t i = 0; i < p->n_cells; i++)
		json_int(j, NULL, (int64_t)p->cells[i]);
	json_end_array(j);
	return 0;
}

static int
text_body(const struct plan *p, const struct result *r, struct canon *out,
    struct err *err)
{
	(void)r;
	(void)err;
	report_print(out,
	    "%zu sums of %" PRIu32 " sites; consiliumctl study recode --result "
	    "chooses from them\n",
	    p->n_cells, p->spec.n_sites);
	return 0;
}

const struct report_kind report_recoding = {
	.kind = "recoding",
	.heading = "One recoding for all sites",
	.per_term = "patients",
	.json = json_body,
	.text = text_body,
};
