/*
 * The anonymized table: what the reader writes, the officer approves by its
 * SHA-256 and the trainer reads.  One file per study and site, one value per
 * row and column that the study's model reads, all of them IEEE 754 doubles.
 *
 * Layout; u32 and u64 are big-endian as in common/canon.h, only the doubles
 * of the columns are little-endian, so that they can be used where they lie:
 *
 *     8 bytes   "CSLMTABL"
 *     u32       version, 1
 *     32 bytes  study digest
 *     u64       n_rows, at most the study's rows-per-site
 *     u32       n_columns, at most 1024
 *     n_columns times:
 *         text      the column's name (u32 length and bytes, 1 to 63)
 *     zeros     up to the next multiple of 8 bytes
 *     n_columns times:
 *         n_rows doubles
 *
 * and nothing after them.  The columns are those of study->table in that
 * order; the reader refuses any other.  A value is what study_table_value()
 * gives: finite and inside the column's bounds.
 *
 *     number, interval         the value, or the group's documented number
 *     levels                   the index of the level or group, 0 first
 *     time of a Cox model      the point of the study's grid of times (entry
 *                              likewise)
 *     event, outcome           0 or 1
 *     stratum                  the index of the level or group
 *     pseudonym                a whole number below 2^52; no term is made of it
 *     missing                  STUDY_MISSING, where study_may_miss() allows it
 */
#ifndef STUDY_TABLE_H
#define STUDY_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct model_data;
struct study;

#define TABLE_VERSION 1
#define TABLE_DIGEST_LEN 32

/*
 * Write a table to fd, an empty file; columns[i] holds the n_rows values of
 * study->table[i].  ERR_FORMAT if a value is not one that the column can
 * hold; ERR_SYSTEM if it cannot be written.  Does not fsync.
 */
int table_write(int fd, const struct study *s,
    const uint8_t digest[TABLE_DIGEST_LEN], const double *const *columns,
    size_t n_rows, struct err *err);

/* A table in memory; the values stay where they are. */
struct table {
	uint8_t digest[TABLE_DIGEST_LEN];
	size_t n_rows, n_columns;
	const double *values; /* (n_columns, n_rows), column by column */
};

/*
 * Check len bytes (8-byte aligned: mapped or from malloc) as a table of this
 * study, each value included.  data must outlive *t.
 */
int table_read(struct table *t, const void *data, size_t len,
    const struct study *s, const uint8_t digest[TABLE_DIGEST_LEN],
    struct err *err);
/* The n_rows values of study->table[i]. */
const double *table_column(const struct table *t, size_t i);

/*
 * The trainer's input (model/data.h): terms expanded, times as indexes of the
 * grid, strata columns as one index.  Freed by table_design_free().
 */
int table_design(const struct table *t, const struct study *s,
    struct model_data *d, struct err *err);
/* Rows where terms vary with time, one per stretch.  -1: no memory. */
int table_split(const struct study *s, struct model_data *d);
void table_design_free(struct model_data *d); /* leaves all zeros */

#endif
