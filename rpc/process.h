/*
 * What the two processes that talk gRPC have in common: channels to other
 * processes on an rpc_loop, TLS files from their parent, the check that they
 * have not expired, and the end.
 *
 *     static struct rpc_process p;
 *
 *     rpc_process_start(&p, PROC_UPLINK, &hooks, &err)    locks in, gets all
 *     rpc_process_serve(&p, child_peer(&p.child, PROC_GATE), ...)
 *     child_ready(&p.child, "", &err)
 *     rpc_process_run(&p, &err)                           until STOP
 *     ... free servers and clients ...
 *     rpc_process_end(&p, rc)
 */
#ifndef RPC_PROCESS_H
#define RPC_PROCESS_H

#include "privsep/start.h"
#include "rpc/loop.h"
#include "rpc/msg.h"

struct rpc_hooks {
	/* New certificates, which have been checked. */
	int (*tls)(void *self, const struct rpc_tls *tls, struct err *err);
	/* Come to an end: call rpc_loop_stop(), now or later. */
	int (*stop)(void *self, struct err *err);
	void *self;
};

struct rpc_process {
	struct child child;
	struct rpc_loop *loop;
	struct rpc_tls tls; /* the present one */
	struct rpc_hooks hooks;
	/* From here on process.c's business. */
	char *pem[3];
	struct rpc_served {
		struct rpc_process *process;
		struct chan *chan;
		const struct handler *table;
		size_t n;
		void *self;
	} served[CHILD_PEERS_MAX + 1];
	size_t n_served;
};

/* Start from all zeros.  ERR_CONFIG where a certificate is not good now. */
int rpc_process_start(struct rpc_process *p, enum proc proc,
    const struct rpc_hooks *hooks, struct err *err);
/* Hand the messages of c to a table. */
int rpc_process_serve(struct rpc_process *p, struct chan *c,
    const struct handler *table, size_t n, void *self, struct err *err);
/* 0 after STOP or the end of the parent; -1 with an error. */
int rpc_process_run(struct rpc_process *p, struct err *err);
/* The end of the process, whose status is rc. */
_Noreturn void rpc_process_end(struct rpc_process *p, int rc);

#endif
