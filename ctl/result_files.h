/* A finished study as the files that people and programs read. */
#ifndef CTL_RESULT_FILES_H
#define CTL_RESULT_FILES_H

#include <stddef.h>

struct canon;
struct err;

/* From a daemon's answer to "result" (crypto/finished.h): append what
   result.json and result.txt hold. */
int result_files(const void *body, size_t len, struct canon *json,
    struct canon *text, struct err *err);

#endif
