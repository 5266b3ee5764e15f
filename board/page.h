/*
 * The page for people: one HTML document without a script and with nothing
 * from outside, which loads itself again every few seconds.  All text that
 * came with the snapshot is escaped.
 */
#ifndef BOARD_PAGE_H
#define BOARD_PAGE_H

#include "board/view.h"

struct canon;

#define PAGE_TYPE "text/html; charset=utf-8"
#define PAGE_REFRESH_S 10

/* Appends to out, which says whether memory ran out. */
void page_write(const struct board_view *v, struct canon *out);

#endif
