#include "coordinator/config.h"

#include <stdlib.h>

#include "common/err.h"
#include "common/file.h"
#include "common/macros.h"

#define AT(field) .offset = offsetof(struct coordinator_config, field)

static const struct ini_field coordinator_fields[] = {
	{ "name", ini_text, AT(name), .required = true, .max = 48 },
	{ "state", ini_path, AT(state), .required = true },
	{ "keys", ini_path, AT(keys), .required = true },
	{ "listen", ini_address, AT(listen), .required = true },
};

static const struct ini_field control_fields[] = {
	{ "socket", ini_path, AT(socket), .required = true },
	{ "operator-group", ini_text, AT(operator_group), .max = 32 },
};

static const char *const sandbox_words[] = { "no", "files", "yes", NULL };

static const struct ini_field sandbox_fields[] = {
	{ "require", ini_word, AT(sandbox), .words = sandbox_words },
};

static const struct ini_field board_fields[] = {
	{ "listen", ini_address, AT(board), .required = true },
};

#define FIELDS(table) .fields = (table), .n_fields = nitems(table)

static const struct ini_kind sections[] = {
	{ "coordinator", INI_NO_ARG, true, FIELDS(coordinator_fields) },
	{ "control", INI_NO_ARG, true, FIELDS(control_fields) },
	{ "board", INI_NO_ARG, false, FIELDS(board_fields) },
	{ "sandbox", INI_NO_ARG, false, FIELDS(sandbox_fields) },
};

struct coordinator_config *
coordinator_config_parse(
    const char *name, const void *text, size_t len, struct err *err)
{
	struct coordinator_config *c;

	if ((c = calloc(1, sizeof(*c))) == NULL) {
		err_sys(err, "%s", name);
		return NULL;
	}
	if ((c->ini = ini_parse(name, text, len, err)) == NULL ||
	    ini_read(c->ini, sections, nitems(sections), c, err) < 0) {
		coordinator_config_free(c);
		return NULL;
	}
	return c;
}

struct coordinator_config *
coordinator_config_load(const char *path, struct err *err)
{
	struct coordinator_config *c;
	uint8_t *text;
	size_t len;

	if ((text = file_read(path, INI_FILE_MAX, &len, err)) == NULL)
		return NULL;
	c = coordinator_config_parse(path, text, len, err);
	free(text);
	return c;
}

void
coordinator_config_free(struct coordinator_config *c)
{
	if (c == NULL)
		return;
	ini_free(c->ini);
	free(c);
}
