/*
 * What a report is in a folder: the order is that of the daemon's answer.
 */
#ifndef CTL_REPORT_FILES_H
#define CTL_REPORT_FILES_H

#include <stddef.h>

#define REPORT_FILE_MAX ((size_t)16 << 20) /* bytes */

enum report_file { REPORT_JSON, REPORT_HTML, REPORT_SIG, REPORT_FILES };

static const char *const report_files[REPORT_FILES] = {
	[REPORT_JSON] = "report.json",
	[REPORT_HTML] = "report.html",
	[REPORT_SIG] = "report.sig",
};

#endif
