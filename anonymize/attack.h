/*
 * An attack that is really carried out: somebody knows the quasi-identifiers of
 * every patient of the source exactly, recodes them as the study says (it is
 * public), looks for the rows of the table that fit, and points at one of them.
 */
#ifndef ANONYMIZE_ATTACK_H
#define ANONYMIZE_ATTACK_H

#include <stddef.h>
#include <stdint.h>

struct err;

struct attack {
	size_t tried; /* patients of the source */
	size_t fitting; /* to whom one row or more of the table fits */
	size_t single; /* to whom exactly one fits */
	size_t correct; /* where the row pointed at was the patient's */
};

/*
 * table[i] and source[i] hold the values of one quasi-identifier, (n_table) and
 * (n_source), recoded alike; the table's row t is the source's row origin[t].
 * seed: for whom the intruder takes where several fit.
 */
int attack_link(const double *const *table, const double *const *source,
    size_t n_keys, size_t n_table, size_t n_source, const size_t *origin,
    uint64_t seed, struct attack *a, struct err *err);
/*
 * The same where the table says which rows are one patient's: the intruder knows all
 * rows of every patient, and looks for the patients of the table who have the same
 * ones.  patient: (n_source) whose row it is, below n_patients.  All of *a then
 * counts patients.
 */
int attack_link_patients(const double *const *table,
    const double *const *source, size_t n_keys, size_t n_table, size_t n_source,
    const size_t *origin, const uint32_t *patient, size_t n_patients,
    uint64_t seed, struct attack *a, struct err *err);

#endif
