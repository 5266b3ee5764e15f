/*
 * The first three digits of a ZIP code of the United States.  45 CFR
 * 164.514(b)(2)(i)(B) lets them stay unless 20,000 people or fewer live where codes
 * begin with them, by the current census; else they become 000.
 */
#ifndef STUDY_ZIP3_H
#define STUDY_ZIP3_H

#include <stdbool.h>
#include <stddef.h>

/* Does it begin with three digits of such an area?  The 18 of the census of 2010
   (ZIP code tabulation areas, United States Census Bureau). */
bool zip3_is_small(const char *text);
/* What stays of a code: its first three digits, 000, or 000 for what does not begin
   with three digits.  The result has 3 bytes and no end. */
const char *zip3(const char *text, size_t len);

#endif
