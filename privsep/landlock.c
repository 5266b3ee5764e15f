#include "config.h"

#include "privsep/landlock.h"

#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/err.h"
#include "common/macros.h"

/*
 * The kernel's interface, as of version 6: the system's header may be older
 * than the system's kernel.  A kernel takes a longer struct ruleset than its
 * own if the rest is zero.
 */
struct ruleset {
	uint64_t files, ports, scope; /* what is refused unless a rule allows */
};
struct path_rule {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));
struct port_rule {
	uint64_t allowed, port;
};

enum { RULE_PATH = 1, RULE_PORT = 2 };
enum { GIVE_VERSION = 1 };

#define FILE_WRITE (1U << 1)
#define FILE_READ (1U << 2)
#define FILE_LIST (1U << 3)
#define FILE_REMOVE (1U << 5)
#define FILE_MAKE (1U << 8)
#define FILE_VERSION_1 ((1U << 13) - 1)
#define FILE_REFER (1U << 13) /* version 2: links between folders */
#define FILE_TRUNCATE (1U << 14) /* version 3 */
#define FILE_DEVICE (1U << 15) /* version 5: ioctl() on devices */
#define FOLDERS_ONLY (FILE_LIST | FILE_REMOVE | FILE_MAKE)

#define PORT_BIND (1U << 0) /* version 4 */
#define PORT_CONNECT (1U << 1)

#define SCOPE_ABSTRACT (1U << 0) /* version 6: abstract unix sockets */
#define SCOPE_SIGNAL (1U << 1) /* version 6: signals to others */

static const struct version {
	int abi;
	struct ruleset adds;
	const char *what;
} versions[] = {
	{ 1, { FILE_VERSION_1, 0, 0 }, "files, TCP ports and signals" },
	/* Without 2 what it adds is always refused; 5 is about devices, of
	   which nobody can open one. */
	{ 2, { FILE_REFER, 0, 0 }, "truncation, TCP ports and signals" },
	{ 3, { FILE_TRUNCATE, 0, 0 }, "truncation, TCP ports and signals" },
	{ 4, { 0, PORT_BIND | PORT_CONNECT, 0 }, "TCP ports and signals" },
	{ 5, { FILE_DEVICE, 0, 0 }, "signals" },
	{ 6, { 0, 0, SCOPE_ABSTRACT | SCOPE_SIGNAL }, "signals" },
};

static const struct {
	enum landlock_right right;
	uint64_t files;
} rights[] = {
	{ LANDLOCK_READ, FILE_READ },
	{ LANDLOCK_WRITE, FILE_WRITE | FILE_TRUNCATE },
	{ LANDLOCK_FOLDER, FILE_LIST | FILE_MAKE | FILE_REMOVE },
	{ LANDLOCK_LIST, FILE_LIST },
};

int
landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, GIVE_VERSION);

	return abi < 0 ? 0 : (int)abi;
}

const char *
landlock_lacks(int abi)
{
	for (size_t i = 0; i < nitems(versions); i++) {
		if (abi < versions[i].abi)
			return versions[i].what;
	}
	return NULL;
}

/* All that this kernel can refuse. */
static struct ruleset
refusable(int abi)
{
	struct ruleset all = { 0 };

	for (size_t i = 0; i < nitems(versions) && versions[i].abi <= abi;
	     i++) {
		all.files |= versions[i].adds.files;
		all.ports |= versions[i].adds.ports;
		all.scope |= versions[i].adds.scope;
	}
	return all;
}

static int
add_path(int set, const struct ruleset *all, const struct landlock_path *p,
    struct err *err)
{
	struct path_rule rule = { .allowed = 0 };
	struct stat st;
	int rc = -1;

	rule.fd = open(p->path, O_PATH | O_CLOEXEC);
	if (rule.fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES
		    ? 0
		    : err_sys(err, "open %s", p->path);
	for (size_t i = 0; i < nitems(rights); i++) {
		if ((p->rights & rights[i].right) != 0)
			rule.allowed |= rights[i].files;
	}
	rule.allowed &= all->files;
	if (fstat(rule.fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed &= ~(uint64_t)FOLDERS_ONLY;
	if (rule.allowed == 0)
		rc = 0; /* nothing is refused that it could allow */
	else if (syscall(SYS_landlock_add_rule, set, RULE_PATH, &rule, 0) < 0)
		err_sys(err, "landlock rule for %s", p->path);
	else
		rc = 0;
	close(rule.fd);
	return rc;
}

static int
add_ports(int set, const struct ruleset *all, uint64_t what,
    const uint16_t *ports, size_t n, struct err *err)
{
	for (size_t i = 0; i < n && (all->ports & what) != 0; i++) {
		struct port_rule rule = { what, ports[i] };

		if (syscall(SYS_landlock_add_rule, set, RULE_PORT, &rule, 0) <
		    0)
			return err_sys(
			    err, "landlock rule for port %u", ports[i]);
	}
	return 0;
}

static int
add_rules(int set, const struct ruleset *all, const struct landlock_rules *r,
    struct err *err)
{
	for (size_t i = 0; i < r->n_paths; i++) {
		if (add_path(set, all, &r->paths[i], err) < 0)
			return -1;
	}
	if (add_ports(set, all, PORT_BIND, r->bind, r->n_bind, err) < 0)
		return -1;
	return add_ports(set, all, PORT_CONNECT, r->connect, r->n_connect, err);
}

int
landlock_apply(const struct landlock_rules *r, struct err *err)
{
	int abi = landlock_abi(), set, rc;
	struct ruleset all = refusable(abi);

	if (abi == 0)
		return 0;
#if defined(CONSILIUM_SANITIZE) || defined(CONSILIUM_COVERAGE)
	all.files = 0; /* their runtimes read and write files at the end */
#endif
	if (r->bind_any)
		all.ports &= ~(uint64_t)PORT_BIND;
	if (all.files == 0 && all.ports == 0)
		return 0;
	set = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
	if (set < 0)
		return err_sys(err, "landlock");
	if ((rc = add_rules(set, &all, r, err)) == 0 &&
	    syscall(SYS_landlock_restrict_self, set, 0) < 0)
		rc = err_sys(err, "landlock");
	close(set);
	return rc;
}
