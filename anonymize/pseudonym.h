/*
 * What a patient's identifier becomes in a study's table, by the site's
 * pseudonym key, which the reader alone has: a number that stands for the patient,
 * and the days by which his dates are shifted.  Both are other ones in every
 * study (by its name) and at every site, stay the same from one preparation to the
 * next, and tell nothing without the key.
 *
 * From HKDF-Expand (key, label || name) with the labels "consilium-1/pseudonym"
 * and "consilium-1/date-shift", each with its NUL, come keys of HMAC-SHA-256 over
 * the identifier; of its first 8 bytes, big-endian, the pseudonym is the upper 52
 * bits and the shift the remainder by 2 D + 1, less D.
 */
#ifndef ANONYMIZE_PSEUDONYM_H
#define ANONYMIZE_PSEUDONYM_H

#include <stddef.h>
#include <stdint.h>

#include "anonymize/patients.h"
#include "crypto/hash.h"

struct pseudonym {
	uint8_t number[HASH_LEN], shift[HASH_LEN]; /* keys; wipe them */
};

struct pseudonym pseudonym_keys(
    const uint8_t key[PATIENTS_KEY], const char *study);
/* A whole number from 0 to 2^52 - 1.  Of a million patients two have the same with
   a chance of 1 in 9,000. */
double pseudonym_number(const struct pseudonym *p, const char *id, size_t len);
/* From -days to days, each as likely. */
double pseudonym_shift(
    const struct pseudonym *p, const char *id, size_t len, size_t days);

#endif
