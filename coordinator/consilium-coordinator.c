/*
 * The parent of a consortium's processes.  It reads the configuration, opens
 * what the others need, starts and watches them.  It parses nothing that came
 * from outside.
 */
#include <config.h> /* not the one beside this file */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/ini.h"
#include "common/log.h"
#include "common/macros.h"
#include "coordinator/config.h"
#include "privsep/family.h"
#include "privsep/house.h"
#include "privsep/house_board.h"
#include "privsep/house_certificate.h"

/* Who gets which file of the folder of keys. */
static const struct house_grant grants[] = {
	{ PROC_ROUNDS, "coordinator.key", true },
	{ PROC_ROUNDS, "root.pub", false },
	{ PROC_LISTENER, "tls.key", false },
	{ PROC_LISTENER, "tls.crt", false },
	{ PROC_LISTENER, "ca.crt", false },
};

static const char *const folders[] = { "db", "spool", "results" };

static const enum proc executables[] = { PROC_LISTENER, PROC_ROUNDS,
	PROC_CONTROL, PROC_NONE };
static const enum proc board_executable[] = { PROC_BOARD, PROC_NONE };

struct coordinator {
	struct house_options options;
	struct coordinator_config *config;
	char *text; /* of the configuration */
	size_t text_len;
	struct family_plan plan;
	struct family *family;
	char as[HOUSE_AS]; /* whom -n is */
	int lock; /* a descriptor */
	struct house_socket socket;
	struct house_board board;
	gid_t operator_gid;
};

static int
tell(struct coordinator *c, struct chan *to, struct err *err)
{
	char uid[16], operator_gid[16], until[24];
	const struct family_fact facts[] = {
		{ "state", c->config->state },
		{ "uid", uid },
		{ "operator-gid", operator_gid },
		{ "certificate-until", until },
	};

	snprintf(uid, sizeof(uid), "%u", getuid());
	snprintf(operator_gid, sizeof(operator_gid), "%d", c->operator_gid);
	snprintf(until, sizeof(until), "%lld",
	    (long long)c->board.certificate_until);
	return family_give_config(to, c->options.config, c->text, c->text_len,
	    facts, nitems(facts), err);
}

static int
equip(void *self, enum proc p, struct chan *to, struct err *err)
{
	struct coordinator *c = self;

	if (p == PROC_BOARD)
		return house_board_equip(&c->board, c->family, to, err);
	if (house_give(grants, nitems(grants), c->config->keys, p, to, err) < 0)
		return -1;
	if (p == PROC_CONTROL &&
	    family_give_file(to, "socket", c->socket.fd, err) < 0)
		return -1;
	return tell(c, to, err);
}

/* It takes a restart, for which it had better be right. */
static int
look_at_config(const struct coordinator *c, struct err *err)
{
	const char *path = c->options.config;
	struct coordinator_config *now = NULL;
	size_t len;
	uint8_t *text = file_read(path, INI_FILE_MAX, &len, err);

	if (text == NULL ||
	    (now = coordinator_config_parse(path, text, len, err)) == NULL) {
		free(text);
		return -1;
	}
	if (len != c->text_len || memcmp(text, c->text, len) != 0)
		log_msg(LOG_WARNING,
		    "%s has changed: restart, a reload reads the TLS "
		    "certificate alone",
		    path);
	coordinator_config_free(now);
	free(text);
	return 0;
}

static int
tell_board(void *self, struct err *err)
{
	struct coordinator *c = self;
	struct chan *board = family_chan(c->family, PROC_BOARD);

	if (board == NULL)
		return 0;
	return house_board_tell(&c->board, c->family, board, err);
}

static int
reload(void *self, struct err *err)
{
	struct coordinator *c = self;

	if (look_at_config(c, err) < 0 ||
	    house_certificate(c->config->keys, c->config->name,
		&c->board.certificate_until, err) < 0 ||
	    tell(c, family_chan(c->family, PROC_CONTROL), err) < 0)
		return -1;
	return tell_board(c, err);
}

static void
daily(void *self)
{
	struct coordinator *c = self;

	house_certificate_daily(
	    c->config->keys, c->config->name, &c->board.certificate_until);
}

static const struct family_plan plan = {
	.residents = { PROC_ROUNDS, PROC_LISTENER, PROC_CONTROL, PROC_NONE },
	.wires = { { PROC_ROUNDS, PROC_LISTENER },
	    { PROC_ROUNDS, PROC_CONTROL } },
	.equip = equip,
	.reload = reload,
	.reloads = PROC_LISTENER,
	.daily = daily,
	.minutely = tell_board,
};

/* All that can be wrong without anything having been touched. */
static int
read_config(struct coordinator *c, struct err *err)
{
	const char *path = c->options.config;
	struct coordinator_config *k;

	c->text = (char *)file_read(path, INI_FILE_MAX, &c->text_len, err);
	if (c->text == NULL)
		return -1;
	k = coordinator_config_parse(path, c->text, c->text_len, err);
	if ((c->config = k) == NULL)
		return -1;
	c->board.side = "coordinator";
	c->board.name = k->name;
	c->board.state = k->state;
	if (house_be_owner(path, k->state, c->as, err) < 0)
		return -1;
	if (house_check(grants, nitems(grants), k->keys, err) < 0)
		return ini_prefix(k->ini, k->keys, err);
	if (house_certificate(
		k->keys, k->name, &c->board.certificate_until, err) < 0)
		return -1;
	if (house_group(k->operator_group, &c->operator_gid, err) < 0)
		return ini_prefix(k->ini, k->operator_group, err);
	if (k->board.host != NULL &&
	    house_executables(board_executable, err) < 0)
		return -1;
	return house_executables(executables, err);
}

/* What -n looks at besides. */
static int
check_rest(const struct coordinator *c, struct err *err)
{
	const struct coordinator_config *k = c->config;

	return house_check_folders(k->ini, k->state, k->socket, err);
}

static void
say_right(const struct coordinator *c)
{
	char until[CLOCK_TEXT_SIZE];

	clock_text(c->board.certificate_until, until);
	printf("%s: ok%s: coordinator %s, listens at %s, TLS certificate until "
	       "%s\n",
	    c->options.config, c->as, c->config->name, c->config->listen.text,
	    until);
}

static int
set_up(struct coordinator *c, struct err *err)
{
	bool group = c->config->operator_group != NULL;

	c->lock = house_state(c->config->state, folders, nitems(folders), err);
	if (c->lock < 0)
		return -1;
	if (house_socket(&c->socket, c->config->socket, group, err) < 0)
		return -1;
	if (house_fence(c->config->state, c->config->listen.port,
		MAX(c->config->sandbox, c->options.sandbox), err) < 0)
		return -1;
	c->plan = plan;
	if (house_board_open(
		&c->board, &c->config->board, &c->plan, PROC_ROUNDS, err) < 0)
		return -1;
	c->family = family_new(&c->plan, c, c->options.log_priority, err);
	return c->family == NULL ? -1 : 0;
}

static void
clean_up(struct coordinator *c)
{
	family_free(c->family);
	if (c->config != NULL)
		house_socket_close(&c->socket, c->config->socket);
	if (c->lock >= 0)
		close(c->lock);
	if (c->board.fd >= 0)
		close(c->board.fd);
	coordinator_config_free(c->config);
	free(c->text);
}

int
main(int argc, char **argv)
{
	struct coordinator c = {
		.lock = -1, .socket = { .fd = -1 }, .board = { .fd = -1 }
	};
	struct err err;
	int rc;

	rc = house_options(argc, argv,
	    SYSCONFDIR "/consilium-coordinator/consilium-coordinator.conf",
	    &c.options);
	if (rc != 0)
		return rc < 0 ? 2 : 0;
	rc = 1;
	log_open("consilium-coordinator", c.options.log_priority);
	log_open_journal();
	if (read_config(&c, &err) < 0 ||
	    (c.options.check_only ? check_rest(&c, &err) : set_up(&c, &err)) <
		0) {
		log_msg(LOG_ERR, "%s%s", err.msg, c.as);
	} else if (c.options.check_only) {
		say_right(&c);
		rc = 0;
	} else {
		rc = family_run(c.family);
	}
	clean_up(&c);
	return rc;
}
