#ifndef COMMON_MACROS_H
#define COMMON_MACROS_H

#define nitems(a) (sizeof(a) / sizeof((a)[0]))

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#endif
