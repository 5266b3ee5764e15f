/*
 * Stands where a parent looks for `gate`, `rounds` and so on, and becomes the
 * real one of the build tree with shim.so before it.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

/* Where it is built. */
static const char *
folder_of(const char *name)
{
	if (strcmp(name, "rounds") == 0 || strcmp(name, "listener") == 0)
		return "coordinator";
	return strcmp(name, "board") == 0 ? "board" : "daemon";
}

int
main(int argc, char *argv[])
{
	char self[512], shim[600], real[600];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *name, *folder;

	if (argc < 1 || n < 0)
		return 126;
	self[n] = '\0';
	/* BUILD/tests/faults/NAME */
	name = strrchr(self, '/');
	*name++ = '\0';
	snprintf(shim, sizeof(shim), "%s/shim.so", self);
	folder = strstr(self, "/tests/faults");
	if (folder == NULL)
		return 126;
	*folder = '\0';
	snprintf(real, sizeof(real), "%s/%s/%s", self, folder_of(name), name);
	setenv("LD_PRELOAD", shim, 1);
	argv[0] = real;
	execve(real, argv, environ);
	return 127;
}
