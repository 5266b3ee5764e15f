#include "ctl/rootkey.h"

#include <stddef.h>

#include "common/err.h"
#include "crypto/keyfile.h"
#include "ctl/ctl.h"
#include "ctl/passphrase.h"

struct key *
rootkey_load(const char *dir, const char *passphrase_file, struct err *err)
{
	const char *path = ctl_path(dir, "root.key", err);
	char *passphrase = NULL;
	struct key *k;
	int locked;

	if (path == NULL || (locked = key_locked(path, err)) < 0)
		return NULL;
	if (locked &&
	    (passphrase = passphrase_get(
		 passphrase_file, "the root's key", false, err)) == NULL)
		return NULL;
	k = key_load(path, passphrase, err);
	passphrase_free(passphrase);
	return k;
}
