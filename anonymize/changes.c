#include "config.h"

#include "anonymize/changes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "anonymize/facts.h"
#include "common/catalogue.h"
#include "common/err.h"
#include "common/hex.h"
#include "common/json_read.h"
#include "crypto/hash.h"
#include "study/table.h"

static void
compare(struct changes *c, const char *what, const char *key,
    const struct json_value *of, const char *member, double now, bool chance)
{
	double last = json_get_number(of, member, NAN);

	/* The last report may be of an older program that did not say it. */
	if (isnan(last) || last == now || c->n == CHANGES_MAX)
		return;
	c->list[c->n++] = (struct change){ what, key, last, now, chance };
}

static size_t
to_decide(const struct json_value *findings)
{
	size_t n = 0;

	for (size_t i = 0; findings != NULL && i < findings->n; i++) {
		const struct json_value *d =
		    json_get(&findings->items[i], "decide");

		n += d != NULL && d->kind == JSON_TRUE;
	}
	return n;
}

static void
compare_all(
    const struct report *r, const struct json_value *last, struct changes *c)
{
	const struct json_value *rows = json_get(last, "rows");
	const struct json_value *privacy = json_get(last, "privacy");
	size_t decided = to_decide(json_get(last, "findings")), decide = 0;

	for (size_t i = 0; i < r->n_findings; i++)
		decide += r->findings[i].decide;
	compare(c, _("rows read from the source"), "read", rows, "read",
	    (double)r->in.rows->n_read, false);
	compare(c, _("rejected"), "rejected", rows, "rejected",
	    (double)r->in.rows->n_rejected, false);
	compare(c, _("incomplete"), "incomplete", rows, "incomplete",
	    (double)r->in.rows->n_incomplete, false);
	compare(c, _("suppressed"), "suppressed", rows, "suppressed",
	    (double)r->in.suppressed, false);
	compare(c, _("rows in the anonymized table"), "in_table", rows,
	    "in_table", (double)r->in.table->n_rows, false);
	compare(c, _("patients in the anonymized table"), "patients",
	    json_get(last, "patients"), "in_table",
	    (double)r->in.patients_in_table, false);
	compare(c, _("rows of patients who object"), "objected", rows,
	    "objected", (double)r->in.rows->n_objected, false);
	compare(c, _("patients who are alike, at least"), "k", privacy, "k",
	    (double)r->in.k, false);
	compare(c, _("an intruder's best chance to point at a patient's row"),
	    "highest", json_get(privacy, "after"), "highest", r->after.highest,
	    true);
	compare(c, _("an intruder's chance on average"), "average",
	    json_get(privacy, "after"), "average", r->after.average, true);
	if (decided != decide)
		c->list[c->n++] =
		    (struct change){ _("findings that need a decision"),
			    "decide", (double)decided, (double)decide, false };
}

int
changes_find(const struct report *r, const char *json, size_t len,
    struct changes *c, struct err *err)
{
	char hex[2 * HASH_LEN + 1];
	struct json_value *last;

	*c = (struct changes){ 0 };
	if (json == NULL)
		return 0;
	if ((last = json_read("the last report", json, len, err)) == NULL)
		return -1;
	c->any = true;
	snprintf(
	    c->made, sizeof(c->made), "%s", json_get_text(last, "made", ""));
	hex_text(r->in.table_digest, HASH_LEN, hex);
	c->same_table =
	    strcmp(json_get_text(last, "table_digest", ""), hex) == 0;
	hex_text(r->in.study_digest, HASH_LEN, hex);
	c->same_study =
	    strcmp(json_get_text(json_get(last, "study"), "digest", ""), hex) ==
	    0;
	compare_all(r, last, c);
	json_read_free(last);
	return 0;
}
