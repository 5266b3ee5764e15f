#include "ctl/passphrase.h"

#include <sys/stat.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "common/err.h"
#include "common/file.h"

#define PASSPHRASE_MAX 1024 /* bytes */

void
passphrase_free(char *p)
{
	if (p == NULL)
		return;
	explicit_bzero(p, strlen(p));
	free(p);
}

static char *
from_file(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *p = NULL;
	struct stat st;
	size_t len;

	if (fd < 0) {
		err_sys(err, "open %s", path);
		return NULL;
	}
	if (fstat(fd, &st) < 0)
		err_sys(err, "%s", path);
	else if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		err_set(err, ERR_CONFIG,
		    "%s: mode %04o lets others at a passphrase, expected 0400 "
		    "or 0600",
		    path, (unsigned)st.st_mode & 07777);
	else
		p = (char *)file_read_fd(fd, path, PASSPHRASE_MAX, &len, err);
	close(fd);
	if (p != NULL)
		p[strcspn(p, "\r\n")] = '\0';
	return p;
}

/* One line from the terminal without its newline, unseen. */
static int
ask(int tty, const char *prompt, const char *what, char *buf, size_t size)
{
	struct termios shown, hidden;
	size_t n = 0;
	int ok;

	if (tcgetattr(tty, &shown) < 0)
		return -1;
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	/* Before it asks: what is typed at once is neither shown nor lost. */
	if (tcsetattr(tty, TCSAFLUSH, &hidden) < 0)
		return -1;
	dprintf(tty, "%s %s: ", prompt, what);
	while (
	    (ok = read(tty, buf + n, 1) == 1) && buf[n] != '\n' && n < size - 1)
		n++;
	buf[n] = '\0';
	tcsetattr(tty, TCSAFLUSH, &shown);
	dprintf(tty, "\n");
	return ok ? 0 : -1;
}

static char *
from_terminal(const char *what, bool twice, struct err *err)
{
	char once[PASSPHRASE_MAX], again[PASSPHRASE_MAX], *p = NULL;
	int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (tty < 0) {
		err_set(err, ERR_CONFIG,
		    "no terminal to ask for the passphrase of %s: give "
		    "--passphrase-file",
		    what);
		return NULL;
	}
	if (ask(tty, "passphrase of", what, once, sizeof(once)) < 0 ||
	    (twice && ask(tty, "again, of", what, again, sizeof(again)) < 0))
		err_sys(err, "read the passphrase");
	else if (twice && strcmp(once, again) != 0)
		err_set(err, ERR_CONFIG, "the two passphrases differ");
	else if ((p = strdup(once)) == NULL)
		err_sys(err, "passphrase");
	explicit_bzero(once, sizeof(once));
	explicit_bzero(again, sizeof(again));
	close(tty);
	return p;
}

char *
passphrase_get(const char *file, const char *what, bool twice, struct err *err)
{
	return file != NULL ? from_file(file, err)
			    : from_terminal(what, twice, err);
}
