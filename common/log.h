/*
 * The log of a process: lines on standard error, or journal entries with
 * fields where the journal is there.  A line is
 *
 *     2026-11-23T09:30:00.123Z gate info: upload left STUDY=rfs ROUND=4
 *
 * Fields are written after the text, and go to the journal as fields.  Values
 * are names, numbers and digests; never a cell's value, an identifier or a key.
 *
 * The parent of a daemon calls log_open_journal() before it starts others;
 * they inherit the descriptor and need no socket() of their own.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <syslog.h> /* LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG */

#define LOG_SITE_ENV "CONSILIUM_SITE"

struct log_field {
	const char *name; /* upper case, A-Z and _ */
	char value[72];
};

/* process must stay valid.  Nothing less urgent than max_priority is kept. */
void log_open(const char *process, int max_priority);

/* If standard error is the journal, connect to it. */
void log_open_journal(void);

/* The descriptor that children must inherit at the same number, or -1. */
int log_journal_fd(void);

/* Every entry of the journal, of this process and of those that it starts, has
   SITE=name from here on, unless it has a field SITE of its own. */
void log_site(const char *name);

void log_msg(int priority, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void log_fields(int priority, const struct log_field *fields, size_t n,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* One of the events of common/log_events.h; fields may be NULL. */
void log_event(const char *id, int priority, const struct log_field *fields,
    size_t n, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* A field whose value is printed as by printf. */
struct log_field log_field(const char *name, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
