#include "common/file.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"

uint8_t *
file_read_fd(int fd, const char *name, size_t max, size_t *len, struct err *err)
{
	uint8_t *data = NULL;
	struct stat st;
	size_t n = 0;

	if (fstat(fd, &st) < 0) {
		err_sys(err, "%s", name);
		return NULL;
	}
	if (!S_ISREG(st.st_mode)) {
		err_set(err, ERR_FORMAT, "%s: not a regular file", name);
		return NULL;
	}
	if ((uintmax_t)st.st_size > max) {
		err_set(err, ERR_FORMAT, "%s: %jd bytes, expected at most %zu",
		    name, (intmax_t)st.st_size, max);
		return NULL;
	}
	if ((data = malloc((size_t)st.st_size + 1)) == NULL) {
		err_sys(err, "%s", name);
		return NULL;
	}
	while (n < (size_t)st.st_size) {
		ssize_t r =
		    pread(fd, data + n, (size_t)st.st_size - n, (off_t)n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0) {
			err_sys(err, "read %s", name);
			free(data);
			return NULL;
		}
		if (r == 0)
			break; /* it shrank */
		n += (size_t)r;
	}
	data[n] = '\0';
	*len = n;
	return data;
}

uint8_t *
file_read(const char *path, size_t max, size_t *len, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *data;

	if (fd < 0) {
		err_sys(err, "open %s", path);
		return NULL;
	}
	data = file_read_fd(fd, path, max, len, err);
	close(fd);
	return data;
}

int
file_write_all(int fd, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len != 0) {
		ssize_t r = write(fd, p, len);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		p += r;
		len -= (size_t)r;
	}
	return 0;
}

/* The folder that path is in, into a buffer of PATH_MAX bytes. */
static void
folder_of(const char *path, char *out)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		snprintf(out, PATH_MAX, ".");
	else if (slash == path)
		snprintf(out, PATH_MAX, "/");
	else
		snprintf(out, PATH_MAX, "%.*s", (int)(slash - path), path);
}

bool
file_missing(const char *path)
{
	return access(path, F_OK) < 0 && errno == ENOENT;
}

int
file_sync(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open %s", path);
	if (fsync(fd) < 0) {
		err_sys(err, "fsync %s", path);
		close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

static int
write_replace(const char *path, const void *data, size_t len, mode_t mode,
    int replace, struct err *err)
{
	char fresh[PATH_MAX], folder[PATH_MAX];
	int fd, rv = -1;

	if (snprintf(fresh, sizeof(fresh), "%s.new", path) >=
	    (int)sizeof(fresh))
		return err_set(err, ERR_CONFIG, "%s: name too long", path);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0)
		return err_sys(err, "create %s", fresh);
	if (fchmod(fd, mode) < 0 || file_write_all(fd, data, len) < 0 ||
	    fsync(fd) < 0) {
		err_sys(err, "write %s", fresh);
		goto out;
	}
	if (replace ? rename(fresh, path) < 0 : link(fresh, path) < 0) {
		err_sys(err, "create %s", path);
		goto out;
	}
	folder_of(path, folder);
	rv = file_sync(folder, err);
	if (rv < 0 && !replace)
		unlink(
		    path); /* it may not last, and must not stand in the way */
out:
	close(fd);
	if (rv < 0 || !replace)
		unlink(fresh);
	return rv;
}

int
file_write(const char *path, const void *data, size_t len, mode_t mode,
    struct err *err)
{
	return write_replace(path, data, len, mode, 1, err);
}

int
file_create(const char *path, const void *data, size_t len, mode_t mode,
    struct err *err)
{
	return write_replace(path, data, len, mode, 0, err);
}

int
file_mkdirs(const char *path, mode_t mode, struct err *err)
{
	char part[PATH_MAX];

	if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part))
		return err_set(err, ERR_CONFIG, "%s: name too long", path);
	for (char *p = part + 1;; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(part, mode) < 0 && errno != EEXIST)
			return err_sys(err, "create folder %s", part);
		*p = c;
		if (c == '\0')
			return 0;
	}
}

bool
file_name_ok(const char *s)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";
	size_t len = strlen(s);

	return len > 0 && len < 200 && s[0] != '.' && strspn(s, allowed) == len;
}
