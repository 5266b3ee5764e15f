#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/macros.h"
#include "coordinator/config.h"

#define COORD                                                                  \
	"[coordinator]\nname = c\nstate = /s\nkeys = /k\nlisten = "            \
	"127.0.0.1:0\n"
#define CONTROL "[control]\nsocket = /c\n"

static void
reads_the_example(void **state)
{
	char path[4096];
	struct err err = { 0 };
	struct coordinator_config *c;

	(void)state;
	snprintf(path, sizeof(path), "%s/examples/consilium-coordinator.conf",
	    getenv("top_srcdir"));
	c = coordinator_config_load(path, &err);
	assert_string_equal(err.msg, "");
	assert_non_null(c);
	assert_string_equal(c->name, "coordinator");
	assert_string_equal(c->listen.host, "::");
	assert_string_equal(c->listen.text, "[::]:7443");
	assert_int_equal(c->listen.port, 7443);
	assert_string_equal(
	    c->socket, "/run/consilium-coordinator/control.sock");
	assert_int_equal(c->board.port, 7481);
	coordinator_config_free(c);
	assert_null(coordinator_config_load("/nowhere.conf", &err));
	assert_string_equal(
	    err.msg, "open /nowhere.conf: No such file or directory");
}

static void
port_0_asks_for_any(void **state)
{
	struct err err;
	struct coordinator_config *c = coordinator_config_parse(
	    "x", COORD CONTROL, strlen(COORD CONTROL), &err);

	(void)state;
	assert_non_null(c);
	assert_int_equal(c->listen.port, 0);
	assert_null(c->board.host);
	assert_null(c->operator_group);
	coordinator_config_free(c);
}

static void
errors_name_line_and_column(void **state)
{
	static const struct {
		const char *text, *msg;
	} bad[] = {
		{ COORD, "x:6:1: section [control] is missing" },
		{ COORD CONTROL "port = 1\n",
		    "x:8:1: unknown key \"port\" in [control], expected one "
		    "of: socket, operator-group" },
		{ CONTROL "[coordinator]\nname = c\n",
		    "x:3:2: [coordinator] has no key \"state\"" },
		{ COORD CONTROL "[policy]\n",
		    "x:8:2: unknown section [policy], expected one of: "
		    "coordinator, control, board, sandbox" },
		{ COORD CONTROL "[sandbox]\nrequire = maybe\n",
		    "x:9:11: require: \"maybe\", expected one of: no, files, "
		    "yes" },
		{ COORD CONTROL "[board]\nlisten = 7481\n",
		    "x:9:10: listen: expected HOST:PORT or "
		    "[IPV6-ADDRESS]:PORT" },
		{ COORD CONTROL "[board]\nlisten = a:65536\n",
		    "x:9:12: listen: expected a whole number from 0 to "
		    "65535" },
	};

	(void)state;
	for (size_t i = 0; i < nitems(bad); i++) {
		struct err err = { 0 };

		assert_null(coordinator_config_parse(
		    "x", bad[i].text, strlen(bad[i].text), &err));
		assert_string_equal(err.msg, bad[i].msg);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_example),
		cmocka_unit_test(port_0_asks_for_any),
		cmocka_unit_test(errors_name_line_and_column),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
