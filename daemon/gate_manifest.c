/*
 * Who is a member: the manifest that the root signed, and those before it.
 */
#include "daemon/gate_run.h"

#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/hex.h"
#include "common/log.h"
#include "common/log_events.h"
#include "crypto/audit.h"
#include "daemon/config.h"

/* Which of the manifest's sites we are, by our identity key. */
static void
find_self(struct gate *g)
{
	const struct manifest *m = g->manifest;

	g->self = 0;
	g->misnamed = NULL;
	for (size_t i = 0; i < m->n_sites; i++) {
		const struct manifest_site *s = &m->sites[i];

		if (memcmp(s->member.key, key_public(g->identity),
			KEY_PUBLIC) != 0)
			continue;
		if (strcmp(s->member.name, g->config->name) != 0) {
			g->misnamed = s->member.name;
			log_msg(LOG_ERR,
			    "%s: [site] name is %s, but the manifest calls "
			    "the holder of identity.key %s: taking no part, "
			    "judging no study",
			    g->child.config_path, g->config->name,
			    s->member.name);
		} else if (s->active)
			g->self = s->id;
	}
	if (g->since == 0 && g->self != 0)
		g->since = m->epoch;
}

/* Which epoch is the first that knows us by the key that we have now. */
static int
find_since(struct gate *g, struct err *err)
{
	for (uint32_t epoch = 0; g->since == 0;) {
		const struct manifest *m;
		int rv = store_epoch_after(g->store, epoch, &epoch, err);

		if (rv <= 0)
			return rv;
		if ((m = gate_manifest_of(g, epoch, err)) == NULL)
			return -1;
		for (size_t i = 0; i < m->n_sites; i++) {
			if (memcmp(m->sites[i].member.key,
				key_public(g->identity), KEY_PUBLIC) == 0)
				g->since = epoch;
		}
	}
	return 0;
}

int
gate_load_manifest(struct gate *g, struct err *err)
{
	struct canon object = { 0 };
	struct err why;
	int rv = store_get_manifest(g->store, &object, err);

	if (rv == 1) {
		g->manifest = manifest_open_own(object.data, object.len, err);
		rv = g->manifest != NULL ? find_since(g, err) : -1;
	}
	if (rv == 0 && g->manifest != NULL) {
		struct manifest *pinned =
		    manifest_open(object.data, object.len, g->root, &why);

		if (pinned != NULL) {
			find_self(g);
		} else if (why.code == ERR_SYSTEM) {
			*err = why;
			rv = -1;
		} else {
			log_msg(LOG_ERR,
			    "%s: taking no part until there is a manifest of "
			    "the root in root.pub",
			    why.msg);
		}
		manifest_free(pinned);
	}
	canon_free(&object);
	return rv;
}

const struct manifest *
gate_manifest_of(struct gate *g, uint32_t epoch, struct err *err)
{
	struct canon object = { 0 };
	int rv;

	if (g->manifest->epoch == epoch)
		return g->manifest;
	if (g->older != NULL && g->older->epoch == epoch)
		return g->older;
	manifest_free(g->older);
	g->older = NULL;
	rv = store_manifest_of(g->store, epoch, &object, err);
	if (rv == 1)
		g->older = manifest_open_kept(
		    object.data, object.len, &g->manifest->roots, err);
	else if (rv == 0)
		err_set(err, ERR_REFUSED,
		    "the manifest of epoch %u is not here", epoch);
	canon_free(&object);
	return g->older;
}

/* What was signed or begun under the last one ends with it. */
static int
store_new_epoch(struct gate *g, const struct manifest *m, const void *p,
    size_t len, struct err *err)
{
	if (store_begin(g->store, err) < 0)
		return -1;
	if (store_put_manifest(g->store, m->epoch, p, len, err) < 0 ||
	    store_drop_prekeys(g->store, err) < 0)
		goto fail;
	for (struct run *r = g->runs; r != NULL; r = r->next) {
		if (run_new_epoch(g, r, err) < 0)
			goto fail;
	}
	return store_commit(g->store, err);
fail:
	store_rollback(g->store);
	return -1;
}

/*
 * A site that joined under a later root cannot check what an earlier one has
 * signed, and needs none of it: it asks for the next.
 */
static int
skip_manifest(struct gate *g, const void *p, size_t len, struct err *err)
{
	struct err none;
	uint32_t epoch;

	if (g->manifest == NULL && err->code == ERR_REFUSED &&
	    manifest_peek_epoch(p, len, &epoch, &none) == 0 &&
	    epoch > g->skipped)
		g->skipped = epoch;
	return -1;
}

int
gate_take_manifest(struct gate *g, const void *p, size_t len, struct err *err)
{
	struct manifest *m = manifest_open(p, len, g->root, err);
	char root[KEY_PUBLIC_TEXT];

	if (m == NULL)
		return skip_manifest(g, p, len, err);
	/* The first: has the coordinator ever heard of this site? */
	if (g->manifest == NULL && !g->past_known) {
		manifest_free(m);
		return g->checkpoint_tag != 0 ? 0
					      : gate_send_checkpoint(g, err);
	}
	if (g->manifest != NULL &&
	    memcmp(m->digest, g->manifest->digest, MANIFEST_ID) == 0) {
		manifest_free(m);
		return gate_poll(g, err);
	}
	if (manifest_follows(g->manifest, m, err) < 0)
		goto fail;
	if (memcmp(m->coordinator.key, g->coordinator, KEY_PUBLIC) != 0) {
		err_set(err, ERR_REFUSED,
		    "manifest names another coordinator than coordinator.pub");
		goto fail;
	}
	if (manifest_audit(g->manifest, m, g->audit, root, err) < 0 ||
	    store_new_epoch(g, m, p, len, err) < 0)
		goto fail;
	manifest_free(g->manifest);
	g->manifest = m;
	find_self(g);
	if (root[0] != '\0')
		log_msg(LOG_NOTICE, "the consortium's root is now %s", root);
	log_event(EVENT_MANIFEST, LOG_NOTICE,
	    (struct log_field[]){ log_field("EPOCH", "%u", m->epoch) }, 1,
	    "manifest of %s, epoch %u, sites: %zu%s", m->consortium, m->epoch,
	    m->n_sites,
	    g->self != 0 ? "" : "; this site is not an active member");
	return gate_poll(g, err);
fail:
	manifest_free(m);
	return -1;
}
