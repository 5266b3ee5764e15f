#include "crypto/signed_study.h"

#include <stdlib.h>
#include <string.h>

#include "common/canon.h"
#include "common/err.h"

/* consortium id (32), u32 epoch, u32 sites, u16 id each, bytes text */

static int
check(const struct signed_study *s, struct err *err)
{
	if (s->n_sites < SIGNED_STUDY_SITES_MIN ||
	    s->n_sites > MANIFEST_SITES_MAX)
		return err_set(err, ERR_FORMAT,
		    "study: number of sites %zu, expected %d to %d", s->n_sites,
		    SIGNED_STUDY_SITES_MIN, MANIFEST_SITES_MAX);
	for (size_t i = 0; i < s->n_sites; i++) {
		if (s->sites[i] <= (i == 0 ? 0 : s->sites[i - 1]))
			return err_set(err, ERR_FORMAT,
			    "study: site ids have to increase from 1");
	}
	if (s->epoch == 0 || s->text_len < 1 ||
	    s->text_len > SIGNED_STUDY_TEXT_MAX)
		return err_set(err, ERR_FORMAT,
		    "study: epoch %u and %zu bytes of text, expected an epoch "
		    "from 1 and 1 to %d bytes",
		    s->epoch, s->text_len, SIGNED_STUDY_TEXT_MAX);
	return 0;
}

int
signed_study_sign(const struct signed_study *s, const struct key *root,
    struct canon *out, struct err *err)
{
	struct canon c = { 0 };
	int rv;

	if (check(s, err) < 0) {
		err->code = ERR_CONFIG;
		return -1;
	}
	canon_raw(&c, s->consortium_id, sizeof(s->consortium_id));
	canon_u32(&c, s->epoch);
	canon_u32(&c, (uint32_t)s->n_sites);
	for (size_t i = 0; i < s->n_sites; i++)
		canon_u16(&c, s->sites[i]);
	canon_bytes(&c, s->text, s->text_len);
	if (c.failed)
		rv = err_sys(err, "study");
	else
		rv = signed_make(
		    root, SIGNED_STUDY_TYPE, c.data, c.len, out, err);
	canon_free(&c);
	return rv;
}

static int
decode(struct signed_study *s, struct canon_in *in, struct err *err)
{
	const uint8_t *text;
	uint32_t n;

	canon_get_raw(in, s->consortium_id, sizeof(s->consortium_id));
	s->epoch = canon_get_u32(in);
	n = canon_get_u32(in);
	if (in->failed || n > MANIFEST_SITES_MAX)
		return err_set(err, ERR_FORMAT,
		    "study: number of sites %u, expected %d to %d", n,
		    SIGNED_STUDY_SITES_MIN, MANIFEST_SITES_MAX);
	if ((s->sites = calloc((size_t)n + 1, sizeof(*s->sites))) == NULL)
		return err_sys(err, "study");
	s->n_sites = n;
	for (size_t i = 0; i < n; i++)
		s->sites[i] = canon_get_u16(in);
	text = canon_get_bytes(in, 1, SIGNED_STUDY_TEXT_MAX, &s->text_len);
	if (canon_end(in, "study", err) < 0)
		return -1;
	if ((s->text = malloc(s->text_len + 1)) == NULL)
		return err_sys(err, "study");
	memcpy(s->text, text, s->text_len);
	s->text[s->text_len] = '\0';
	return check(s, err);
}

struct signed_study *
signed_study_open(const void *object, size_t len,
    const uint8_t root[KEY_PUBLIC], struct err *err)
{
	struct signed_study *s;
	const uint8_t *content;
	struct canon_in in;
	size_t content_len;

	if (signed_open(object, len, SIGNED_STUDY_TYPE, SIGNED_STUDY_MAX, root,
		&content, &content_len, err) < 0)
		return NULL;
	if ((s = calloc(1, sizeof(*s))) == NULL) {
		err_sys(err, "study");
		return NULL;
	}
	in = canon_in(content, content_len);
	if (decode(s, &in, err) < 0) {
		signed_study_free(s);
		return NULL;
	}
	signed_digest(object, len, s->digest);
	return s;
}

struct signed_study *
signed_study_open_kept(const void *object, size_t len,
    const struct manifest_roots *roots, struct err *err)
{
	struct signed_study *s;
	size_t k = roots->n;

	do
		s = signed_study_open(
		    object, len, manifest_root_at(roots, k), err);
	while (s == NULL && err->code != ERR_SYSTEM && k-- > 0);
	return s;
}

void
signed_study_free(struct signed_study *s)
{
	if (s == NULL)
		return;
	free(s->sites);
	free(s->text);
	free(s);
}

int
signed_study_fits(
    const struct signed_study *s, const struct manifest *m, struct err *err)
{
	if (memcmp(s->consortium_id, m->consortium_id, MANIFEST_ID) != 0)
		return err_set(err, ERR_REFUSED,
		    "the study belongs to another consortium than %s",
		    m->consortium);
	if (s->epoch > m->epoch)
		return err_set(err, ERR_REFUSED,
		    "the study was signed under manifest epoch %u, here it is "
		    "%u: submit the newer manifest first",
		    s->epoch, m->epoch);
	for (size_t i = 0; i < s->n_sites; i++) {
		if (manifest_by_id(m, s->sites[i]) == NULL)
			return err_set(err, ERR_REFUSED,
			    "the study names site %u, which the manifest of "
			    "%s does not have",
			    s->sites[i], m->consortium);
	}
	return 0;
}

size_t
signed_study_index(const struct signed_study *s, uint16_t site)
{
	for (size_t i = 0; i < s->n_sites; i++)
		if (s->sites[i] == site)
			return i;
	return SIZE_MAX;
}
