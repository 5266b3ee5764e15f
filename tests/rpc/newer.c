/*
 * A coordinator of a later release: newer ADDRESS FOLDER.  It has the
 * certificate in the folder, says "listening", speaks version 2 of the protocol,
 * and does so until it is killed.
 */
#include "config.h"

#include <sys/prctl.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/file.h"
#include "rpc/server.h"

static enum rpc_status
admit(void *self, const struct rpc_peer *peer, enum rpc_method method,
    uint32_t *who, struct err *err)
{
	(void)self;
	(void)peer;
	(void)method;
	(void)err;
	*who = 1;
	return RPC_OK;
}

/* None comes so far. */
static int
request(void *self, struct rpc_call *call, enum rpc_method method, uint32_t who,
    const struct rpc_msg *msg, struct err *err)
{
	(void)self;
	(void)call;
	(void)method;
	(void)who;
	(void)msg;
	return err_set(err, ERR_PEER, "a request in version 2");
}

static void
gone(void *self, struct rpc_call *call)
{
	(void)self;
	(void)call;
}

static char *
text(const char *folder, const char *name)
{
	char path[4096];
	struct err err;
	size_t len;
	char *p;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if ((p = (char *)file_read(path, 1 << 16, &len, &err)) == NULL) {
		fprintf(stderr, "%s\n", err.msg);
		exit(1);
	}
	return p;
}

int
main(int argc, char **argv)
{
	static const struct rpc_service service = {
		.admit = admit, .request = request, .gone = gone, .version = "2"
	};
	struct rpc_loop *loop;
	struct rpc_tls tls;
	struct err err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (argc != 3)
		return 2;
	tls = (struct rpc_tls){ .ca = text(argv[2], "ca.crt"),
		.cert = text(argv[2], "tls.crt"),
		.key = text(argv[2], "tls.key") };
	if ((loop = rpc_loop_new(NULL, &err)) == NULL ||
	    rpc_server_new(loop, argv[1], &tls, &service, &err) == NULL ||
	    puts("listening") < 0 || fflush(stdout) != 0 ||
	    rpc_loop_run(loop, &err) < 0)
		fprintf(stderr, "%s\n", err.msg);
	return 1;
}
