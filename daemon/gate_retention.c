/*
 * The gate's retention: an anonymized table is deleted when it is of no use any
 * more, and the audit log says so before.  Of no use is one that was prepared
 * again, and, keep-tables days later, one whose study has ended or expired.
 */
#include "daemon/gate_run.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/hex.h"
#include "common/log.h"
#include "crypto/audit.h"
#include "crypto/signed_study.h"
#include "daemon/config.h"
#include "study/study.h"

#define DAY_S ((int64_t)86400)
#define DAY_MS (DAY_S * 1000)

int
gate_drop_table(struct gate *g, const struct store_study *st, const char *why,
    struct err *err)
{
	char base[128], name[128 + 8], digest[2 * STORE_DIGEST + 1];
	struct canon out = { 0 };

	if (st->job == 0 || st->table_gone)
		return 0;
	gate_base_name(st->name, st->job, base);
	snprintf(name, sizeof(name), "%s.table", base);
	hex_text(st->table, sizeof(st->table), digest);
	if (audit_event(g->audit, err, "table-deleted", "study", st->name,
		"table", digest, "why", why, NULL) < 0 ||
	    store_set_table_gone(g->store, st->id, err) < 0)
		return -1;
	log_fields(LOG_NOTICE,
	    (struct log_field[]){ log_field("STUDY", "%s", st->name) }, 1,
	    "table deleted: %s", why);
	canon_text(&out, name);
	return chan_send_canon(g->child.parent, MSG_DROP_TABLE, 0, &out, err);
}

/* When the study ended, seconds since 1970, or 0 if it has not. */
static int
ended(struct gate *g, const struct store_study *st, int64_t *when,
    const char **why, struct err *err)
{
	struct canon object = { 0 };
	struct signed_study *sig = NULL;
	struct study *s = NULL;
	struct step last;
	int rv = -1;

	*when = 0;
	*why = "the study is done";
	if (st->status == STATUS_DONE) {
		rv = store_get_step(
		    g->store, st->id, UINT32_MAX, &last, NULL, NULL, err);
		*when = rv == 1 ? last.utc : 0;
		return rv < 0 ? -1 : 0;
	}
	if (store_study_object(g->store, st->id, &object, err) != 1 ||
	    (sig = signed_study_open_kept(
		 object.data, object.len, &g->manifest->roots, err)) == NULL ||
	    (s = study_parse("study", sig->text, sig->text_len, err)) == NULL)
		goto out;
	*why = "the study has expired";
	if ((s->expires + 1) * DAY_S <= clock_utc())
		*when = (s->expires + 1) * DAY_S;
	rv = 0;
out:
	study_free(s);
	signed_study_free(sig);
	canon_free(&object);
	return rv;
}

int
gate_retention(void *self, struct err *err)
{
	struct gate *g = self;
	int64_t keep = (int64_t)g->config->policy.keep_tables * DAY_S;
	struct store_study st;
	int rv;

	for (int64_t id = 0;; id = st.id) {
		const char *why;
		int64_t when;

		if ((rv = store_study_after(g->store, id, &st, err)) <= 0)
			break;
		if (st.job == 0 || st.table_gone)
			continue;
		if ((rv = ended(g, &st, &when, &why, err)) < 0)
			break;
		if (when == 0 || when + keep > clock_utc())
			continue;
		if ((rv = gate_drop_table(g, &st, why, err)) < 0 ||
		    (rv = gate_drop_sums(g, &st, err)) < 0)
			break;
		if (st.status != STATUS_DONE)
			run_close(g, st.id);
	}
	return rv < 0 ? -1
		      : loop_set_timer(g->loop, DAY_MS, gate_retention, g, err);
}
