/*
 * The configuration of consilium-coordinator (consilium-coordinator.conf(5)).
 * Read once, by the parent.
 */
#ifndef COORDINATOR_CONFIG_H
#define COORDINATOR_CONFIG_H

#include <stddef.h>

#include "common/ini.h"

struct err;

struct coordinator_config {
	char *name;
	char *state, *keys; /* folders */
	struct ini_address listen; /* port 0: any that is free */
	char *socket; /* of process control */
	char *operator_group; /* or NULL: the daemon's user alone */
	struct ini_address board; /* board.host is NULL: none */
	int sandbox; /* enum house_sandbox (privsep/house.h) */
	struct ini *ini; /* owns all text */
};

/* NULL with ERR_CONFIG, or ERR_SYSTEM if path cannot be read. */
struct coordinator_config *coordinator_config_load(
    const char *path, struct err *err);
struct coordinator_config *coordinator_config_parse(
    const char *name, const void *text, size_t len, struct err *err);
void coordinator_config_free(struct coordinator_config *c); /* NULL is fine */

#endif
