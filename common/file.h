/*
 * Whole files: read with a limit, write so that a crash leaves either the old
 * file or the new one.
 */
#ifndef COMMON_FILE_H
#define COMMON_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/*
 * Read all of path, at most max bytes.  Returns memory that the caller frees,
 * with a NUL after the last byte (not counted), or NULL.
 */
uint8_t *file_read(const char *path, size_t max, size_t *len, struct err *err);
/* The same from an open descriptor, from its start. */
uint8_t *file_read_fd(
    int fd, const char *name, size_t max, size_t *len, struct err *err);

/* Write path.new, fsync, rename to path, fsync the folder. */
int file_write(const char *path, const void *data, size_t len, mode_t mode,
    struct err *err);
/* The same, but refuses if path exists. */
int file_create(const char *path, const void *data, size_t len, mode_t mode,
    struct err *err);

/* All len bytes, or -1. */
int file_write_all(int fd, const void *data, size_t len);

/* mkdir -p; a folder that is there already is fine. */
int file_mkdirs(const char *path, mode_t mode, struct err *err);

/* Is there none of that name?  What cannot be told is for who opens it. */
bool file_missing(const char *path);

/* fsync a file, or a folder, so that its names last. */
int file_sync(const char *path, struct err *err);

/* May s name a file in a folder of ours?  1 to 199 letters, digits, ".", "_",
   "-", and no "." first. */
bool file_name_ok(const char *s);

#endif
