/*
 * A plan that is saved, loaded and stepped without memory: it says so, and the
 * plan that was there is as it was.
 */
#include "tests/check.h"

#include <stdlib.h>

#include "common/canon.h"
#include "common/err.h"
#include "model/step/plan.h"
#include "tests/faults/inside.h"
#include "tests/model/described.h"

static struct canon before;
static const struct described *d;
static const void *sum;

/* From what was stored: the next state, as a daemon makes it. */
static int
go_on(void *self, struct err *err)
{
	struct plan *p = plan_load(&d->spec, before.data, before.len, err);
	struct plan *next = NULL;
	struct canon after = { 0 };
	int rv = -1;

	(void)self;
	if (p != NULL)
		next = plan_next(p, sum, plan_words(p), DESCRIBED_SITES, err);
	if (next != NULL) {
		plan_save(next, &after);
		rv = after.failed ? err_set(err, ERR_SYSTEM, "out of memory")
				  : 0;
	}
	canon_free(&after);
	plan_free(next);
	plan_free(p);
	return rv;
}

static void
a_plan_without_memory(void **state)
{
	struct described done = described_read("races");
	struct plan *p;
	struct err err;
	size_t at = 0;

	(void)state;
	described_run(&done);
	d = &done;
	assert_non_null(p = plan_new(&d->spec, &err));
	while (!plan_done(p)) {
		size_t n = plan_words(p);
		uint64_t *words = calloc(n, sizeof(*words));
		struct canon_in in =
		    canon_in(done.sums.data + at, done.sums.len - at);

		if (strcmp(plan_kind(p), "counts") == 0) {
			words[0] = d->n;
		} else {
			for (size_t i = 0; i < n; i++)
				words[i] = canon_get_u64(&in);
			at += n * sizeof(*words);
		}
		sum = words;
		plan_save(p, &before);
		every_fault(INSIDE_MEMORY, go_on, NULL, NULL);
		canon_free(&before);
		assert_int_equal(
		    plan_step(p, words, n, DESCRIBED_SITES, &err), 0);
		free(words);
	}
	plan_free(p);
	described_free(&done);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plan_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
