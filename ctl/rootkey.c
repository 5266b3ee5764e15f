#include "ctl/rootkey.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/file.h"
#include "crypto/keyfile.h"
#include "crypto/manifest.h"
#include "crypto/signed.h"
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

#define ROOTS_LABEL SIGNED_LABEL "roots"

int
rootkey_roots(const char *dir, const struct key *root,
    struct manifest_roots *roots, struct err *err)
{
	const char *path = ctl_path(dir, "roots", err);
	struct canon_in in;
	char label[64];
	uint8_t *file;
	size_t len;

	*roots = (struct manifest_roots){ 0 };
	memcpy(roots->first, key_public(root), KEY_PUBLIC);
	if (path == NULL || access(path, F_OK) < 0)
		return path == NULL ? -1 : 0;
	if ((file = file_read(path, MANIFEST_MAX, &len, err)) == NULL)
		return -1;
	in = canon_in(file, len);
	canon_get_text(&in, label, sizeof(label));
	manifest_roots_get(&in, roots);
	free(file);
	if (strcmp(label, ROOTS_LABEL) != 0)
		in.failed = true;
	return canon_end(&in, path, err);
}

int
rootkey_put_roots(
    const char *dir, const struct manifest_roots *roots, struct err *err)
{
	const char *path = ctl_path(dir, "roots", err);
	struct canon c = { 0 };
	int rv = -1;

	canon_text(&c, ROOTS_LABEL);
	manifest_roots_put(&c, roots);
	if (c.failed)
		err_sys(err, "roots");
	else if (path != NULL)
		rv = file_write(path, c.data, c.len, 0644, err);
	canon_free(&c);
	return rv;
}
