/* Plan bytes: what is loaded is saved as the same bytes. */
#include "config.h"

#include <string.h>

#include "common/canon.h"
#include "common/err.h"
#include "model/spec.h"
#include "model/step/plan.h"
#include "study/study.h"
#include "tests/fuzz/fuzz.h"
#include "tests/study/small.h"

static const char logistic[] =
    "[study]\nname = s\ntitle = t\npurpose = p\nlegal-basis = c\n"
    "ethics = e\ncontact = a@b\nexpires = 2099-01-31\n"
    "[model]\nkind = logistic\noutcome = y\n"
    "[privacy]\nk = 2\ncohort = fixed\nrows-per-site = 100\n"
    "[column y]\ntype = levels\nlevels = no, yes\nprivacy = none\n"
    "use = outcome\n"
    "[column a]\ntype = real\nrange = -5..5\nprivacy = none\n"
    "use = feature\n";

static const struct model_spec *
the_spec(int which)
{
	static struct model_spec specs[2];
	static struct study *studies[2];
	const char *text = which == 0 ? small : logistic;
	struct err err;

	if (studies[which] == NULL) {
		studies[which] = study_parse("f", text, strlen(text), &err);
		FUZZ_MUST(studies[which] != NULL &&
		    study_model_spec(studies[which], 3, &specs[which], &err) ==
			0);
	}
	return &specs[which];
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct canon out = { 0 };
	struct plan *plan;
	struct err err;

	if (len == 0)
		return 0;
	plan = plan_load(the_spec(data[0] % 2), data + 1, len - 1, &err);
	if (plan != NULL) {
		plan_save(plan, &out);
		FUZZ_MUST(!out.failed && out.len == len - 1 &&
		    memcmp(out.data, data + 1, len - 1) == 0);
		FUZZ_MUST(plan_done(plan) == (plan_words(plan) == 0));
		FUZZ_MUST(strlen(plan_kind(plan)) > 0);
	}
	canon_free(&out);
	plan_free(plan);
	return 0;
}

/* The plan before each round, where every sum is zero. */
void
fuzz_seeds(fuzz_put *put)
{
	static uint64_t zeros[1 << 20];
	struct err err;

	for (int i = 0; i < 2; i++) {
		struct plan *plan = plan_new(the_spec(i), &err);

		FUZZ_MUST(plan != NULL);
		for (int k = 0; k < 6; k++) {
			struct canon out = { 0 };

			plan_save(plan, &out);
			fuzz_put_bytes(put, i, out.data, out.len);
			canon_free(&out);
			if (plan_done(plan) ||
			    plan_words(plan) > sizeof(zeros) / 8 ||
			    plan_step(plan, zeros, plan_words(plan), 3, &err) <
				0)
				break;
		}
		plan_free(plan);
	}
}
