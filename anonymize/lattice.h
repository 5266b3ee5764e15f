/*
 * Full-domain generalization: every attribute is recoded to one level of its
 * hierarchy, and the classes that fail the privacy models are suppressed.  All
 * combinations of levels are the lattice; the search finds the one with the
 * smallest Loss among those that suppress few enough rows, and proves that by
 * bounds: the result is the global optimum, the first in the order of the
 * levels where several are equal.
 *
 * With share(v) = leaves under v / size, size the leaves of the attribute's
 * hierarchy, and 1 for a suppressed row:
 *
 *     loss_a = (sum over rows of share - N / size) / (N - N / size), >= 0
 *     Loss   = product over attributes of (loss_a + 1)^(w_a / sum of w) - 1
 *
 * (V. Iyengar, KDD 2002; ARX's geometric mean.)  The rows are read once: the
 * classes of a node are made from those of a node below it.
 */
#ifndef ANONYMIZE_LATTICE_H
#define ANONYMIZE_LATTICE_H

#include <stddef.h>
#include <stdint.h>

#define LATTICE_ATTRIBUTES_MAX 24
#define LATTICE_NODES_MAX (1 << 20)

struct err;
struct hierarchy;
struct lattice;
struct models;

struct lattice_attribute {
	const char *name; /* for errors */
	const struct hierarchy *hierarchy;
	const uint32_t *leaf; /* (n_rows) */
	double weight; /* > 0 */
	size_t top; /* the highest level that may be chosen */
	size_t bottom; /* the lowest one; for local recoding alone */
};

struct lattice_input {
	const struct lattice_attribute *attributes; /* (n_attributes) */
	size_t n_attributes, n_rows;
	const struct models *models;
	double suppression_limit; /* share of the rows */
};

/*
 * A node as it was measured.
 *
 * discernibility  Bayardo, Agrawal, ICDE 2005: each row costs the size of its
 *                 class, a suppressed one all N rows
 * average_size    LeFevre et al., ICDE 2006: rows kept by classes
 * entropy         non-uniform, Gionis, Tassa, TKDE 21, 2009: over all cells, log2
 *                 of how many rows have the cell's group by how many have its
 *                 value; a suppressed cell's group is all rows
 * granularity     Iyengar's share (above), the mean over all cells
 */
struct lattice_node {
	uint8_t level[LATTICE_ATTRIBUTES_MAX];
	double loss;
	size_t classes, smallest, largest; /* of the rows that are kept */
	size_t suppressed, most_suppressed; /* rows; the limit */
	double discernibility, average_size;
	double entropy; /* bits */
	double granularity;
};

/* input and all that it names must outlive the lattice. */
struct lattice *lattice_new(const struct lattice_input *in, struct err *err);
void lattice_free(struct lattice *l); /* NULL is fine */

size_t lattice_size(const struct lattice *l); /* nodes */
size_t lattice_visited(const struct lattice *l); /* whose classes were made */

/* The best node.  ERR_REFUSED if none fits: the message says how many rows
   stand in the way, and which attribute's top. */
int lattice_search(
    struct lattice *l, struct lattice_node *best, struct err *err);
/* Measure the node with these levels; 1 if it fits, 0 if not, or -1. */
int lattice_measure(struct lattice *l, const uint8_t *level,
    struct lattice_node *node, struct err *err);

/* The same, but no more than how many rows it suppresses. */
int lattice_count(struct lattice *l, const uint8_t *level, size_t *suppressed,
    struct err *err);

#endif
