/*
 * A site's table as the arithmetic sees it: complete rows, in the study's
 * units.  All arrays belong to whoever made them.
 */
#ifndef MODEL_DATA_H
#define MODEL_DATA_H

#include <stddef.h>
#include <stdint.h>

struct model_data {
	size_t n_rows;
	size_t n_terms; /* km, summary: 0 */
	double *x; /* (n_rows, n_terms), row by row */
	uint8_t
	    *event; /* (n_rows), 1: event (cox) or outcome present (logistic);
		       cuminc: the cause, from 1 on */
	double *y; /* (n_rows), where the outcome is a number */
	double *offset; /* (n_rows); NULL if the study has none */
	double *weight; /* (n_rows), prior weights; NULL likewise */
	uint32_t *time_index; /* (n_rows), cox and km */
	uint32_t *entry; /* (n_rows), NULL: none; a time index, like those */
	uint32_t *stratum; /* (n_rows), 0 to n_strata - 1; may be NULL if 1.
			      Km: stratum * n_groups + group;
			      summary: group */
	/*
	 * (n_rows) whose rows they are, 0 to n_patients - 1; NULL: each row is a
	 * patient of its own.
	 */
	uint32_t *patient;
	size_t n_patients;
	double *variables; /* (n_rows, n_variables), summary: a number, the
			      index of a level, or NAN where it is missing */
};

#endif
