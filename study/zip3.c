#include "study/zip3.h"

#include <string.h>

#include "common/macros.h"

bool
zip3_is_small(const char *text)
{
	static const char *const starts[] = { "036", "059", "102", "202", "203",
		"204", "205", "369", "556", "692", "753", "772", "821", "823",
		"878", "879", "884", "893" };

	for (size_t i = 0; i < nitems(starts); i++)
		if (strncmp(text, starts[i], 3) == 0)
			return true;
	return false;
}

const char *
zip3(const char *text, size_t len)
{
	for (size_t i = 0; i < 3; i++)
		if (i >= len || text[i] < '0' || text[i] > '9')
			return "000";
	return zip3_is_small(text) ? "000" : text;
}
