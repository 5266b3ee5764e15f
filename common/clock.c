#include "common/clock.h"

#include <stdio.h>
#include <time.h>

int64_t
clock_mono_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t
clock_utc(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec;
}

/*
 * Not by gmtime_r(), which opens /etc/localtime: a process that may open no
 * file would be killed for it.  Years begin in March here, so that the leap
 * day is a year's last.
 */
void
clock_text(int64_t utc, char out[CLOCK_TEXT_SIZE])
{
	int64_t day = utc / 86400, second = utc % 86400, era, year, month;
	unsigned of_era, of_year;

	if (second < 0) {
		second += 86400;
		day--;
	}
	day += 719468; /* since 0000-03-01 */
	era = (day >= 0 ? day : day - 146096) / 146097;
	of_era = (unsigned)(day - era * 146097);
	year =
	    (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = of_era - (unsigned)(365 * year + year / 4 - year / 100);
	month = (5 * of_year + 2) / 153;
	day = of_year - (153 * month + 2) / 5 + 1;
	month += month < 10 ? 3 : -9;
	year += era * 400 + (month <= 2);
	if (year < 0 || year > 9999 ||
	    snprintf(out, CLOCK_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02dZ",
		(int)year, (int)month, (int)day, (int)(second / 3600),
		(int)(second / 60 % 60), (int)(second % 60)) >= CLOCK_TEXT_SIZE)
		snprintf(out, CLOCK_TEXT_SIZE, "?");
}
