/*
 * The language of what people read: a catalogue of translations as msgfmt(1)
 * makes it (GNU gettext's .mo), given as bytes.  It is not looked for in files
 * and not chosen by the environment, so that a process without either can have
 * one, and a daemon speaks its hospital's language whoever started it.
 *
 * One language for all of a process.  Without one, and for what a catalogue
 * does not have, texts are English, as they stand in the program.
 */
#ifndef COMMON_CATALOGUE_H
#define COMMON_CATALOGUE_H

#include <stddef.h>

struct err;

#define CATALOGUE_MAX ((size_t)1 << 20) /* bytes */

/*
 * Speak the language of this catalogue from now on; name is what errors call
 * it.  The bytes are copied.  ERR_FORMAT if it is none.
 */
int catalogue_use(
    const char *name, const void *mo, size_t len, struct err *err);
/* English again. */
void catalogue_drop(void);

/* "en", or the catalogue's own, as HTML has it: "zh-CN". */
const char *catalogue_language(void);

const char *catalogue_text(const char *msgid) __attribute__((format_arg(1)));
/* The same text in two meanings. */
const char *catalogue_meant(const char *context, const char *msgid)
    __attribute__((format_arg(2)));
/* For n things: languages with one form, or with two as English has them. */
const char *catalogue_number(const char *one, const char *many, size_t n)
    __attribute__((format_arg(1), format_arg(2)));

#define _(text) catalogue_text(text)
#define C_(context, text) catalogue_meant(context, text)
#define P_(one, many, n) catalogue_number(one, many, n)
#define N_(text) text /* translated where it is used */

#endif
