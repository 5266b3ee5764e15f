/*
 * ICD-10 codes by their structure: category, block and chapter, as ranges of
 * categories (WHO's tabular list, 2019).  National modifications add codes, and
 * few categories that are in no block; those are a block of their own.
 */
#ifndef ANONYMIZE_ICD10_H
#define ANONYMIZE_ICD10_H

#include <stdbool.h>

#define ICD10_RANGE_SIZE 8 /* "A00-B99" and NUL */

struct icd10 {
	char category[4]; /* "I21" */
	char block[ICD10_RANGE_SIZE]; /* "I20-I25" */
	char chapter[ICD10_RANGE_SIZE]; /* "I00-I99" */
};

/* Is it a letter, two digits (the second may be a letter, as in C4A), and at
   most four more letters and digits behind an optional dot?  Then *c is what it
   belongs to. */
bool icd10_parse(const char *code, struct icd10 *c);

#endif
