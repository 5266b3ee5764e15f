#include "config.h"

#include "anonymize/words.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/catalogue.h"
#include "common/clock.h"
#include "common/macros.h"
#include "common/utf8.h"

struct words
words_count(size_t n)
{
	char digits[24];
	struct words w;
	size_t len = (size_t)snprintf(digits, sizeof(digits), "%zu", n), at = 0;

	for (size_t i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			w.text[at++] = ',';
		w.text[at++] = digits[i];
	}
	w.text[at] = '\0';
	return w;
}

struct words
words_one_in(double chance)
{
	struct words w;
	double n = chance > 0 ? 1 / chance : 0;

	if (chance <= 0)
		snprintf(w.text, sizeof(w.text), "%s", _("none"));
	else if (n < 10 && fabs(n - round(n)) > 0.05)
		snprintf(w.text, sizeof(w.text), _("1 in %.1f"), n);
	else
		snprintf(w.text, sizeof(w.text), _("1 in %s"),
		    words_count((size_t)round(n)).text);
	return w;
}

struct words
words_percent(double share)
{
	struct words w;
	double p = 100 * share;

	if (isnan(share))
		snprintf(w.text, sizeof(w.text), "\342\200\223");
	else if (p > 0 && p < 0.05)
		snprintf(w.text, sizeof(w.text), "%s", _("below 0.1%"));
	else
		snprintf(w.text, sizeof(w.text), "%.1f%%", p);
	return w;
}

struct words
words_day(const char *text)
{
	static const char *const months[] = { N_("January"), N_("February"),
		N_("March"), N_("April"), N_("May"), N_("June"), N_("July"),
		N_("August"), N_("September"), N_("October"), N_("November"),
		N_("December") };
	int year = 0, month = 1, day = 0;
	struct words w;

	sscanf(text, "%d-%d-%d", &year, &month, &day);
	/* TRANSLATORS: day of the month, name of the month, year. */
	snprintf(w.text, sizeof(w.text), _("%1$d %2$s %3$d"), day,
	    _(months[MIN(MAX(month, 1), 12) - 1]), year);
	return w;
}

struct words
words_date(int64_t utc)
{
	char text[CLOCK_TEXT_SIZE];

	clock_text(utc, text);
	return words_day(text);
}

void
words_fit(char *text)
{
	text[utf8_valid(text, strlen(text))] = '\0';
}

struct words
words_short(const char *text, size_t n)
{
	size_t len = strlen(text), keep;
	struct words w;

	keep = utf8_prefix(text, len, n);
	snprintf(w.text, sizeof(w.text) - 3, "%.*s", (int)MIN(keep, WORDS_SIZE),
	    text);
	words_fit(w.text);
	if (strlen(w.text) < len)
		strcat(w.text, "\342\200\246");
	return w;
}

void
words_list(char *out, size_t size, size_t i, size_t n, const char *item)
{
	size_t len = strlen(out);

	snprintf(out + len, size - len, "%s%s",
	    i == 0          ? ""
		: i + 1 < n ? C_("between items of a list", ", ")
			    : C_("before the last item of a list", " and "),
	    item);
	words_fit(out);
}
