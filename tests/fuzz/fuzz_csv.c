/* The records: the first byte chooses the separator. */
#include "config.h"

#include <sys/mman.h>

#include <string.h>
#include <unistd.h>

#include "anonymize/csv.h"
#include "common/err.h"
#include "tests/fuzz/fuzz.h"

static void
read_all(struct csv *c)
{
	struct err err;

	while (csv_next(c, &err) == 1) {
		for (size_t i = 0; i < csv_cells(c); i++) {
			const struct csv_cell *cell = csv_cell(c, i);

			FUZZ_MUST(cell->len <= CSV_CELL_MAX);
			FUZZ_MUST(cell->text[cell->len] == '\0');
			FUZZ_MUST(cell->line > 0 && cell->column > 0);
		}
		csv_line(c);
	}
	csv_open_end(c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char separators[] = { 0, ',', ';', '\t' };
	static int fd = -1;
	struct err err;
	struct csv *c;

	if (len == 0)
		return 0;
	if (fd < 0)
		FUZZ_MUST((fd = memfd_create("csv", MFD_CLOEXEC)) >= 0);
	FUZZ_MUST(ftruncate(fd, 0) == 0 &&
	    pwrite(fd, data + 1, len - 1, 0) == (ssize_t)(len - 1) &&
	    lseek(fd, 0, SEEK_SET) == 0);
	c = csv_open(fd, "f", separators[data[0] % sizeof(separators)], &err);
	if (c != NULL)
		read_all(c);
	csv_close(c);
	return 0;
}

void
fuzz_seeds(fuzz_put *put)
{
	fuzz_put_text(put, 0, "a,b,c\n1,2,3\n\"x, y\",\"say \"\"no\"\"\",\n");
	fuzz_put_text(put, 0,
	    "\xef\xbb\xbf"
	    "a;b\r\n1;\"two\r\nlines\"\r\n");
	fuzz_put_text(put, 3, "a\tb\n\xc3\xa4\t\xe2\x82\xac\n\"\"\t");
}
