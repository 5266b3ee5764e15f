#include "common/log.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define JOURNAL_FD_ENV "CONSILIUM_JOURNAL_FD"
#define FIELDS_MAX 16

static const char *log_process = "consilium";
static int log_max = LOG_INFO;
static int journal_fd = -1;
static struct log_field log_own_site = { .name = "SITE" };

static const char *const priority_names[] = {
	"emergency",
	"alert",
	"critical",
	"error",
	"warning",
	"notice",
	"info",
	"debug",
};

void
log_open(const char *process, int max_priority)
{
	const char *env = getenv(JOURNAL_FD_ENV), *site = getenv(LOG_SITE_ENV);

	log_process = process;
	if (site != NULL)
		log_own_site = log_field("SITE", "%s", site);
	log_max = max_priority;
	if (env != NULL && journal_fd < 0) {
		int fd = atoi(env);

		if (fd > 2 && fcntl(fd, F_GETFD) >= 0)
			journal_fd = fd;
	}
}

/* systemd says which device and inode its journal stream has. */
static bool
stderr_is_journal(void)
{
	const char *env = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (env == NULL || sscanf(env, "%llu:%llu", &dev, &ino) != 2)
		return false;
	if (fstat(STDERR_FILENO, &st) < 0)
		return false;
	return (unsigned long long)st.st_dev == dev &&
	    (unsigned long long)st.st_ino == ino;
}

void
log_open_journal(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char number[16];
	int fd;

	if (journal_fd >= 0 || !stderr_is_journal())
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", JOURNAL_SOCKET);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		close(fd);
		return;
	}
	journal_fd = fd;
	snprintf(number, sizeof(number), "%d", fd);
	setenv(JOURNAL_FD_ENV, number, 1);
}

void
log_site(const char *name)
{
	log_own_site = log_field("SITE", "%s", name);
	setenv(LOG_SITE_ENV, name, 1);
}

int
log_journal_fd(void)
{
	return journal_fd;
}

struct log_field
log_field(const char *name, const char *fmt, ...)
{
	struct log_field f = { .name = name };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f.value, sizeof(f.value), fmt, ap);
	va_end(ap);
	return f;
}

/* One line stays one line, whatever a peer put into it. */
static void
flatten(char *s)
{
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = '?';
	}
}

/* Its own site, unless the entry is about one. */
static bool
lacks_site(const struct log_field *fields, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(fields[i].name, "SITE") == 0)
			return false;
	}
	return log_own_site.value[0] != '\0';
}

static int
send_journal(int priority, const char *id, const struct log_field *fields,
    size_t n, const char *text)
{
	char buf[4096];
	int len = snprintf(buf, sizeof(buf),
	    "MESSAGE=%s\nPRIORITY=%d\nSYSLOG_IDENTIFIER=consilium\n"
	    "CONSILIUM_PROCESS=%s\n",
	    text, priority, log_process);

	if (id != NULL && len < (int)sizeof(buf))
		len += snprintf(buf + len, sizeof(buf) - (size_t)len,
		    "MESSAGE_ID=%s\n", id);
	for (size_t i = 0; i < n && len < (int)sizeof(buf); i++)
		len += snprintf(buf + len, sizeof(buf) - (size_t)len, "%s=%s\n",
		    fields[i].name, fields[i].value);
	if (lacks_site(fields, n) && len < (int)sizeof(buf))
		len += snprintf(buf + len, sizeof(buf) - (size_t)len, "%s=%s\n",
		    log_own_site.name, log_own_site.value);
	if (len >= (int)sizeof(buf))
		return -1;
	return send(journal_fd, buf, (size_t)len, MSG_NOSIGNAL) == len ? 0 : -1;
}

static void
write_line(
    int priority, const struct log_field *fields, size_t n, const char *text)
{
	char buf[2048], when[CLOCK_TEXT_SIZE];
	struct timespec now;
	int len;

	clock_gettime(CLOCK_REALTIME, &now);
	clock_text(now.tv_sec, when);
	len = snprintf(buf, sizeof(buf), "%.19s.%03ldZ %s %s: %s", when,
	    now.tv_nsec / 1000000, log_process, priority_names[priority], text);
	for (size_t i = 0; i < n && len < (int)sizeof(buf) - 1; i++)
		len += snprintf(buf + len, sizeof(buf) - (size_t)len, " %s=%s",
		    fields[i].name, fields[i].value);
	if (len > (int)sizeof(buf) - 2)
		len = (int)sizeof(buf) - 2;
	buf[len++] = '\n';
	/* One write, so that lines of several processes do not mix. */
	if (write(STDERR_FILENO, buf, (size_t)len) < 0)
		return;
}

static void
log_va(const char *id, int priority, const struct log_field *fields, size_t n,
    const char *fmt, va_list ap)
{
	struct log_field clean[FIELDS_MAX];
	char text[1024];

	if (priority > log_max)
		return;
	if (n > FIELDS_MAX)
		n = FIELDS_MAX;
	vsnprintf(text, sizeof(text), fmt, ap);
	flatten(text);
	for (size_t i = 0; i < n; i++) {
		clean[i] = fields[i];
		flatten(clean[i].value);
	}
	if (journal_fd >= 0 && send_journal(priority, id, clean, n, text) == 0)
		return;
	write_line(priority, clean, n, text);
}

void
log_msg(int priority, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_va(NULL, priority, NULL, 0, fmt, ap);
	va_end(ap);
}

void
log_fields(int priority, const struct log_field *fields, size_t n,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_va(NULL, priority, fields, n, fmt, ap);
	va_end(ap);
}

void
log_event(const char *id, int priority, const struct log_field *fields,
    size_t n, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_va(id, priority, fields, n, fmt, ap);
	va_end(ap);
}
