/* Cells of a source by the codebook: dates, numbers, levels, missing codes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "study/draft.h"
#include "study/study.h"

#define NUMBER_MAX 64 /* bytes of a number in a cell */

bool
date_format_valid(const char *format)
{
	unsigned seen[3] = { 0 };
	static const char *const parts[] = { "YYYY", "MM", "DD" };

	while (*format != '\0') {
		size_t i = 0;

		while (
		    i < 3 && strncmp(format, parts[i], strlen(parts[i])) != 0)
			i++;
		if (i < 3) {
			seen[i]++;
			format += strlen(parts[i]);
		} else if (strchr("-./ :", *format++) == NULL) {
			return false;
		}
	}
	return seen[0] == 1 && seen[1] == 1 && seen[2] == 1;
}

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar: years
   start in March here, so that the leap day is a year's last. */
static int64_t
days_of(int64_t y, int64_t m, int64_t d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static int
days_in_month(int y, int m)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
		31 };
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

	return days[m - 1] + (m == 2 && leap);
}

/* n digits at *text; moves behind them.  -1 if they are not there. */
static int
digits(const char **text, const char *end, int n)
{
	int v = 0;

	if (end - *text < n)
		return -1;
	while (n-- > 0) {
		char c = *(*text)++;

		if (c < '0' || c > '9')
			return -1;
		v = v * 10 + (c - '0');
	}
	return v;
}

int
study_date(const char *format, const char *text, size_t len, int64_t *day)
{
	const char *end = text + len;
	int y = 0, m = 0, d = 0;

	while (*format != '\0') {
		if (*format == 'Y') {
			y = digits(&text, end, 4);
			format += 4;
		} else if (*format == 'M') {
			m = digits(&text, end, 2);
			format += 2;
		} else if (*format == 'D') {
			d = digits(&text, end, 2);
			format += 2;
		} else if (text == end || *text++ != *format++) {
			return -1;
		}
	}
	if (text != end || y < 1 || m < 1 || m > 12 || d < 1 ||
	    d > days_in_month(y, m))
		return -1;
	*day = days_of(y, m, d);
	return 0;
}

void
study_date_text(int64_t day, char out[STUDY_DATE_TEXT_SIZE])
{
	int64_t z = day + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153, m = mp < 10 ? mp + 3 : mp - 9;

	snprintf(out, STUDY_DATE_TEXT_SIZE, "%04d-%02d-%02d",
	    (int)(yoe + era * 400 + (m <= 2)), (int)m,
	    (int)(doy - (153 * mp + 2) / 5 + 1));
}

bool
study_missing(const struct study_column *c, const char *cell, size_t len)
{
	for (size_t i = 0; i < c->missing.n; i++) {
		if (strlen(c->missing.items[i]) == len &&
		    memcmp(c->missing.items[i], cell, len) == 0)
			return true;
	}
	return false;
}

size_t
study_level(const struct study_column *c, const char *cell, size_t len)
{
	size_t lo = 0, hi = c->n_levels;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const char *value = c->by_value[mid]->value;
		int order = strncmp(value, cell, len);

		if (order == 0 && strlen(value) == len)
			return (size_t)(c->by_value[mid] - c->levels);
		if (order < 0)
			lo = mid + 1;
		else
			hi = mid; /* also where value goes on after cell */
	}
	return STUDY_NONE;
}

bool
study_whole(double v)
{
	return v >= -9e15 && v <= 9e15 && (double)(int64_t)v == v;
}

static int
number_cell(
    const struct study_column *c, const char *cell, size_t len, double *v)
{
	char text[NUMBER_MAX];

	if (len >= sizeof(text))
		return -1;
	memcpy(text, cell, len);
	text[len] = '\0';
	if (strlen(text) != len || ini_number(text, v) < 0)
		return -1;
	if (c->type == STUDY_INTEGER && !study_whole(*v))
		return -1;
	*v += 0.0; /* -0 is 0 */
	return 0;
}

static int
date_cell(const struct study_column *c, const char *cell, size_t len, double *v)
{
	int64_t day;

	for (size_t i = 0; i < c->formats.n; i++) {
		if (study_date(c->formats.items[i], cell, len, &day) == 0) {
			*v = (double)day;
			return 0;
		}
	}
	return -1;
}

int
study_cell(
    const struct study_column *c, const char *cell, size_t len, double *v)
{
	size_t level;

	switch (c->type) {
	case STUDY_LEVELS:
		if ((level = study_level(c, cell, len)) == STUDY_NONE)
			return -1;
		*v = (double)level;
		return 0;
	case STUDY_DATE:
		if (date_cell(c, cell, len, v) < 0)
			return -1;
		break;
	case STUDY_REAL:
	case STUDY_INTEGER:
		if (number_cell(c, cell, len, v) < 0)
			return -1;
		break;
	default:
		return -1;
	}
	return c->has_range && (*v < c->lo + c->shift || *v > c->hi - c->shift)
	    ? -1
	    : 0;
}
