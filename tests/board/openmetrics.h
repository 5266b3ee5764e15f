/* Is a text OpenMetrics 1.0, as far as we write it? */
#ifndef TESTS_BOARD_OPENMETRICS_H
#define TESTS_BOARD_OPENMETRICS_H

#include <stddef.h>

/* NULL if it is, or what is wrong and in which line; text must end with NUL. */
const char *openmetrics_check(const char *text);

#endif
