/*
 * Vectors on disk.  SITE-ROOT.part is coming in, ROOT.up is verified and part of
 * a round, ROOT is public: an input of a sum, for the sites to repeat it, or the
 * sum.
 */
#include "coordinator/rounds.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/file.h"
#include "common/hex.h"
#include "common/macros.h"
#include "model/step/plan.h"
#include "study/study.h"

size_t
work_vector_len(const struct work *w)
{
	return plan_words(w->plan) * (study_bits(w->study) / 8);
}

void
spool_path(const struct rounds *s, enum spool kind, uint16_t site,
    const uint8_t root[ROUND_DIGEST], char *out)
{
	char hex[2 * ROUND_DIGEST + 1];

	hex_text(root, ROUND_DIGEST, hex);
	if (kind == SPOOL_PART)
		snprintf(out, PATH_MAX, "%s/spool/%u-%s.part", s->state_dir,
		    site, hex);
	else
		snprintf(out, PATH_MAX, "%s/spool/%s%s", s->state_dir, hex,
		    kind == SPOOL_UP ? ".up" : "");
}

int
spool_move(const struct rounds *s, enum spool from, enum spool to,
    uint16_t site, const uint8_t root[ROUND_DIGEST], struct err *err)
{
	char a[PATH_MAX], b[PATH_MAX], folder[PATH_MAX];

	spool_path(s, from, site, root, a);
	spool_path(s, to, site, root, b);
	if (rename(a, b) < 0) {
		/* Before a crash it had been moved already. */
		if (errno == ENOENT && access(b, R_OK) == 0)
			return 0;
		return err_sys(err, "rename %s", a);
	}
	snprintf(folder, sizeof(folder), "%s/spool", s->state_dir);
	return file_sync(folder, err);
}

static void
remove_part(const struct rounds *s, const struct part *p)
{
	char path[PATH_MAX];

	spool_path(s, SPOOL_PART, p->site, p->root, path);
	unlink(path);
	spool_path(s, SPOOL_UP, p->site, p->root, path);
	unlink(path);
}

/* What site has sent; site 0: what all have sent. */
void
work_drop_parts(struct work *w, uint16_t site)
{
	struct part **at = &w->parts;

	while (*at != NULL) {
		struct part *p = *at;

		if (site != 0 && p->site != site) {
			at = &p->next;
			continue;
		}
		remove_part(w->rounds, p);
		*at = p->next;
		free(p);
	}
}

void
work_own_part(struct work *w, uint16_t site, const uint8_t root[ROUND_DIGEST])
{
	struct part *own = NULL;

	for (struct work *of = w->rounds->works; of != NULL; of = of->next) {
		struct part **at = &of->parts;

		while (*at != NULL) {
			struct part *p = *at;

			if (p->site != site ||
			    memcmp(p->root, root, ROUND_DIGEST) != 0) {
				at = &p->next;
				continue;
			}
			*at = p->next;
			free(own); /* (it began twice) */
			own = p;
		}
	}
	if (own != NULL) {
		own->next = w->parts;
		w->parts = own;
	}
}

/* Where an upload of this root and site may belong, which is at least so long, or
   NULL: until its trailer is there, it may be any study's that waits for one. */
static struct part *
find_part(struct rounds *s, uint16_t site, const uint8_t root[ROUND_DIGEST],
    uint64_t end)
{
	struct work *free_work = NULL;
	struct part *p;
	struct context c;

	for (struct work *w = s->works; w != NULL; w = w->next) {
		size_t most = work_asked_len(w, site); /* that it hands back */

		if (w->round != NULL &&
		    coord_round_phase(w->round) == COORD_UPLOADS &&
		    coord_round_owed(w->round, work_context(w, &c), site) ==
			ROUND_SHARESET)
			most = MAX(most, work_vector_len(w));
		if (end > most)
			continue;
		for (p = w->parts; p != NULL && p->site != site; p = p->next)
			continue;
		if (p != NULL && memcmp(p->root, root, ROUND_DIGEST) == 0) {
			return p;
		}
		if (free_work == NULL || p == NULL)
			free_work = w;
	}
	if (free_work == NULL)
		return NULL;
	for (p = free_work->parts; p != NULL && p->site != site; p = p->next)
		continue;
	if (p != NULL) { /* another upload of the same site: begin anew */
		remove_part(s, p);
	} else if ((p = calloc(1, sizeof(*p))) != NULL) {
		p->next = free_work->parts;
		free_work->parts = p;
	} else {
		return NULL;
	}
	p->site = site;
	p->have = 0;
	memcpy(p->root, root, ROUND_DIGEST);
	return p;
}

int
rounds_put_chunk(struct rounds *s, uint16_t site,
    const uint8_t root[ROUND_DIGEST], uint32_t index, const void *data,
    size_t len, uint32_t *have, struct err *err)
{
	uint64_t offset = (uint64_t)index * ROUND_CHUNK;
	struct part *p = find_part(s, site, root, offset + len);
	char path[PATH_MAX];
	int fd, rv = -1;

	if (p == NULL || len == 0 || len > ROUND_CHUNK)
		return err_set(err, ERR_REFUSED,
		    "no upload is due that has %zu bytes as chunk %u", len,
		    index);
	if (index != p->have) {
		*have = p->have;
		return 0;
	}
	spool_path(s, SPOOL_PART, site, root, path);
	fd = open(path,
	    O_WRONLY | O_CREAT | O_CLOEXEC | (index == 0 ? O_TRUNC : 0), 0600);
	if (fd < 0)
		return err_sys(err, "create %s", path);
	if (lseek(fd, (off_t)offset, SEEK_SET) < 0 ||
	    file_write_all(fd, data, len) < 0) {
		err_sys(err, "write %s", path);
		goto out;
	}
	*have = ++p->have;
	rv = 0;
out:
	close(fd);
	return rv;
}

int
rounds_get_chunk(struct rounds *s, const uint8_t root[ROUND_DIGEST],
    uint32_t index, uint32_t *total, struct canon *out, struct err *err)
{
	char path[PATH_MAX];
	uint8_t *buf = NULL;
	struct stat st;
	ssize_t n;
	int fd, rv = -1;

	spool_path(s, SPOOL_PUBLIC, 0, root, path);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0) {
		if (errno == ENOENT)
			return err_set(
			    err, ERR_REFUSED, "no upload of that name is kept");
		return err_sys(err, "open %s", path);
	}
	if (fstat(fd, &st) < 0 || (buf = malloc(ROUND_CHUNK)) == NULL) {
		err_sys(err, "%s", path);
		goto out;
	}
	*total = (uint32_t)((st.st_size + ROUND_CHUNK - 1) / ROUND_CHUNK);
	if (index >= *total) {
		err_set(err, ERR_PEER, "chunk %u of %u", index, *total);
		goto out;
	}
	n = pread(fd, buf, ROUND_CHUNK, (off_t)index * ROUND_CHUNK);
	if (n < 0) {
		err_sys(err, "read %s", path);
		goto out;
	}
	canon_raw(out, buf, (size_t)n);
	rv = 0;
out:
	free(buf);
	close(fd);
	return rv;
}

void *
spool_words(const char *path, size_t want, struct err *err)
{
	size_t len;
	uint8_t *data = file_read(path, want, &len, err);

	if (data != NULL && len != want) {
		err_set(err, ERR_PEER, "an upload of %zu bytes, expected %zu",
		    len, want);
		free(data);
		return NULL;
	}
	return data;
}

void
spool_unlink(const struct rounds *s, const uint8_t name[ROUND_DIGEST])
{
	char path[PATH_MAX];

	spool_path(s, SPOOL_PUBLIC, 0, name, path);
	unlink(path);
}
