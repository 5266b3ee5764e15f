/* Entries of the journal with their fields, and lines without a journal. */
#include "config.h"

#include "tests/check.h"

#include <sys/socket.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"
#include "common/log_events.h"

static int journal[2]; /* the journal's end, and the process's */
static int err_pipe[2], own_stderr;

static int
set_up(void **state)
{
	char number[16];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, journal) < 0 ||
	    pipe2(err_pipe, O_NONBLOCK) < 0 ||
	    (own_stderr = dup(STDERR_FILENO)) < 0)
		return -1;
	snprintf(number, sizeof(number), "%d", journal[1]);
	return setenv("CONSILIUM_JOURNAL_FD", number, 1);
}

/* What the journal was told; "" for nothing. */
static const char *
entry(void)
{
	static char text[8192];
	ssize_t n = recv(journal[0], text, sizeof(text) - 1, MSG_DONTWAIT);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* Standard error, between these two. */
static void
catch_lines(void)
{
	fflush(stderr);
	dup2(err_pipe[1], STDERR_FILENO);
}

static const char *
lines(void)
{
	static char text[8192];
	ssize_t n = read(err_pipe[0], text, sizeof(text) - 1);

	dup2(own_stderr, STDERR_FILENO);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void
an_event_has_its_id_and_its_fields(void **state)
{
	const struct log_field of_round[] = { log_field("STUDY", "%s", "rfs"),
		log_field("ROUND", "%d", 4) };
	const struct log_field of_site[] = { log_field("SITE", "%d", 12) };

	(void)state;
	log_open("gate", LOG_INFO);
	log_event(EVENT_ROUND_SUM, LOG_NOTICE, of_round, 2, "sum over %d", 3);
	assert_string_equal(entry(),
	    "MESSAGE=sum over 3\nPRIORITY=5\nSYSLOG_IDENTIFIER=consilium\n"
	    "CONSILIUM_PROCESS=gate\n"
	    "MESSAGE_ID=" EVENT_ROUND_SUM "\nSTUDY=rfs\nROUND=4\n");
	/* From here on each has its site, also who is started after this. */
	log_site("freiburg");
	assert_string_equal(getenv(LOG_SITE_ENV), "freiburg");
	log_fields(LOG_ERR, of_round, 1, "what");
	assert_string_equal(entry(),
	    "MESSAGE=what\nPRIORITY=3\nSYSLOG_IDENTIFIER=consilium\n"
	    "CONSILIUM_PROCESS=gate\nSTUDY=rfs\nSITE=freiburg\n");
	/* What is about a site has that one. */
	log_event(EVENT_SITE_REFUSED, LOG_WARNING, of_site, 1, "who");
	assert_non_null(strstr(entry(), "\nSITE=12\n"));
	log_msg(LOG_DEBUG, "not asked for");
	assert_string_equal(entry(), "");
}

static void
a_value_makes_no_field_and_no_line(void **state)
{
	const struct log_field f = log_field("STUDY", "x\nPRIORITY=%d", 0);
	const char *text;

	(void)state;
	log_open("gate", LOG_INFO);
	log_fields(LOG_INFO, &f, 1, "a\nMESSAGE_ID=%s\x7f", "1");
	text = entry();
	assert_non_null(strstr(text, "MESSAGE=a?MESSAGE_ID=1?\n"));
	assert_non_null(strstr(text, "\nSTUDY=x?PRIORITY=0\n"));
	assert_null(strstr(text, "\nMESSAGE_ID="));
}

/* Also where the journal takes no more. */
static void
without_a_journal_it_is_a_line(void **state)
{
	const struct log_field of_round[] = { log_field("STUDY", "%s", "rfs"),
		log_field("ROUND", "%d", 4) };
	char id[40], when[40];

	(void)state;
	close(journal[0]);
	log_open("gate", LOG_INFO);
	catch_lines();
	log_event(EVENT_ROUND_SUM, LOG_INFO, of_round, 2, "sum\nover %d", 3);
	assert_int_equal(
	    sscanf(lines(), "%39s gate info: sum?over 3 STUDY=rfs ROUND=%[4]\n",
		when, id),
	    2);
	assert_int_equal(strlen(when), strlen("2026-11-23T09:30:00.123Z"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_has_its_id_and_its_fields),
		cmocka_unit_test(a_value_makes_no_field_and_no_line),
		cmocka_unit_test(without_a_journal_it_is_a_line),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
