#include "model/step/kind.h"

static const struct plan_kind *const kinds[MODEL_KINDS] = {
#define MODEL_ENTRY(constant, name) [MODEL_##constant] = &plan_##name,
	MODEL_EACH_KIND(MODEL_ENTRY)
#undef MODEL_ENTRY
};

const struct plan_kind *
plan_kind_of(enum model_kind kind)
{
	return kinds[kind];
}
