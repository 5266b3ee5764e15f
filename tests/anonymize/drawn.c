#include "config.h"

#include "tests/anonymize/drawn.h"

#include "tests/check.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/err.h"
#include "common/file.h"

int
drawn_hierarchy(struct hierarchy *h, const char *text, struct err *err)
{
	int fd = memfd_create("hierarchy", MFD_CLOEXEC), r;

	assert_int_not_equal(fd, -1);
	assert_int_equal(file_write_all(fd, text, strlen(text)), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	r = hierarchy_read(h, fd, "h.csv", err);
	close(fd);
	return r;
}

uint32_t
drawn_next(struct drawn *t, uint32_t below)
{
	t->seed = t->seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(t->seed >> 33) % below;
}

/* A random tree of four levels, or of three. */
static void
make_hierarchy(struct drawn *t, size_t a)
{
	char text[4096], *p = text;
	uint32_t leaves = 6 + drawn_next(t, 20), groups = 2 + drawn_next(t, 4);
	bool deep = !t->mixed || drawn_next(t, 2) == 0;
	struct err err = { 0 };

	for (uint32_t i = 0; i < leaves; i++) {
		uint32_t g = drawn_next(t, groups);

		p += sprintf(
		    p, deep ? "%u;g%u;h%u;*\n" : "%u;g%u;*\n", i, g, g / 2);
	}
	if (drawn_hierarchy(&t->h[a], text, &err) != 0)
		fail_msg("%s", err.msg);
}

void
drawn_make(struct drawn *t, uint64_t seed)
{
	assert_true(t->n_rows <= DRAWN_ROWS);
	assert_true(t->n_attributes <= DRAWN_ATTRIBUTES);
	t->seed = seed;
	for (size_t a = 0; a < t->n_attributes; a++) {
		make_hierarchy(t, a);
		t->attributes[a] = (struct lattice_attribute){ .name = "a",
			.hierarchy = &t->h[a],
			.leaf = t->leaf[a],
			.weight = t->mixed ? 1 + (double)(a % 2) : 1,
			.top = t->h[a].n_levels - 1 };
	}
	for (size_t r = 0; r < t->n_rows; r++) {
		for (size_t a = 0; a < t->n_attributes; a++) {
			uint32_t n = (uint32_t)t->h[a].n_leaves;

			/* Uneven: some values are rare. */
			t->leaf[a][r] = drawn_next(t, 1 + drawn_next(t, n));
		}
		t->sensitive[r] = drawn_next(t,
		    t->mixed ? 1 + drawn_next(t, t->n_sensitive)
			     : t->n_sensitive);
	}
}

void
drawn_free(struct drawn *t)
{
	for (size_t a = 0; a < t->n_attributes; a++)
		hierarchy_free(&t->h[a]);
}
