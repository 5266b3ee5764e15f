/*
 * Who could take part, for model/ alone: the state of a plan of kind
 * feasibility once its one round is summed.
 *
 * A number of patients is shown if it is 0 or at least the smallest cell, and
 * so is its complement; and if it does not give away another one.  Everything
 * else is forgotten in the step that reads the sum: FEASIBILITY_HIDDEN.
 */
#ifndef MODEL_STEP_FEASIBILITY_H
#define MODEL_STEP_FEASIBILITY_H

#include <stdint.h>

#include "model/step/state.h"

#define FEASIBILITY_HIDDEN UINT64_MAX

enum {
	FEASIBILITY_N, /* patients */
	FEASIBILITY_COMPLETE, /* of them with a value in all columns */
	FEASIBILITY_EVENTS, /* of these with an event */
	FEASIBILITY_SITES_WITH, /* sites that have some of these */
	FEASIBILITY_MISSING, /* from here on by column: patients without */
};

#endif
