/*
 * The same for a monitoring system: OpenMetrics 1.0 text.
 */
#ifndef BOARD_METRICS_H
#define BOARD_METRICS_H

#include "board/view.h"

struct canon;

#define METRICS_TYPE                                                           \
	"application/openmetrics-text; version=1.0.0; charset=utf-8"

/* Appends to out, which says whether memory ran out. */
void metrics_write(const struct board_view *v, struct canon *out);

#endif
