/* The study file: what is accepted must also make a model's specification. */
#include "config.h"

#include "common/err.h"
#include "model/spec.h"
#include "study/study.h"
#include "tests/fuzz/fuzz.h"
#include "tests/study/small.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct err err;
	struct study *s = study_parse("f", data, len, &err);
	struct model_spec spec;

	if (s != NULL) {
		FUZZ_MUST(study_outcome(s) < s->n_columns);
		study_model_spec(s, 3, &spec, &err);
	}
	study_free(s);
	return 0;
}

void
fuzz_seeds(fuzz_put *put)
{
	fuzz_put_text(put, -1, small);
	fuzz_put_text(put, -1,
	    "[study]\nname = s\ntitle = t\npurpose = p\nlegal-basis = c\n"
	    "ethics = e\ncontact = a@b\nexpires = 2099-01-31\n"
	    "[model]\nkind = logistic\noutcome = y\n"
	    "[rounds]\nready-wait = 60\nshare = 2\n"
	    "[privacy]\nk = 2\ncohort = fixed\nrows-per-site = 100\n"
	    "[column y]\ntype = levels\nlevels = no, yes\nprivacy = none\n"
	    "use = outcome\n"
	    "[column a]\ntype = real\nrange = -5..5\nprivacy = none\n"
	    "use = feature\n");
	fuzz_put_text(put, -1,
	    "[study]\nname = s\ntitle = t\npurpose = p\nlegal-basis = c\n"
	    "ethics = e\ncontact = a@b\nexpires = 2099-01-31\n"
	    "[model]\nkind = logistic\noutcome = y\n"
	    "[privacy]\nk = 2\ncohort = fixed\npatient = n\n"
	    "pseudonym = yes\ndate-shift = 30\n"
	    "[column n]\ntype = text\nprivacy = direct-identifier\n"
	    "[column y]\ntype = levels\nlevels = no, yes\nprivacy = none\n"
	    "use = outcome\n"
	    "[column d]\ntype = date\nrange = 2001-01-01..2009-12-31\n"
	    "privacy = quasi-identifier\nlevel = 1\nuse = feature\n"
	    "[hierarchy d]\nlevel-1 = year\n"
	    "[column z]\ntype = text\nprivacy = quasi-identifier\n"
	    "level = 2\n[hierarchy z]\nlevel-1 = mask 4\nlevel-2 = zip3\n");
}
