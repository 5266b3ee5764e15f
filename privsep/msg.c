#include "privsep/msg.h"

#include <string.h>

static const char *const proc_names[PROC_COUNT] = {
	[PROC_NONE] = "nobody",
	[PROC_PARENT] = "parent",
	[PROC_GATE] = "gate",
	[PROC_UPLINK] = "uplink",
	[PROC_CONTROL] = "control",
	[PROC_READER] = "reader",
	[PROC_TRAINER] = "trainer",
	[PROC_LISTENER] = "listener",
	[PROC_ROUNDS] = "rounds",
	[PROC_BOARD] = "board",
};

static const char *const msg_names[MSG_COUNT] = {
	[MSG_NONE] = "NONE",
	[MSG_FILE] = "FILE",
	[MSG_PEER] = "PEER",
	[MSG_CONFIG] = "CONFIG",
	[MSG_READY] = "READY",
	[MSG_PING] = "PING",
	[MSG_PONG] = "PONG",
	[MSG_STATUS] = "STATUS",
	[MSG_STOP] = "STOP",
	[MSG_START_READER] = "START_READER",
	[MSG_START_TRAINER] = "START_TRAINER",
	[MSG_JOB_CHANNEL] = "JOB_CHANNEL",
	[MSG_JOB_GONE] = "JOB_GONE",
	[MSG_DROP_TABLE] = "DROP_TABLE",
	[MSG_READER_JOB] = "READER_JOB",
	[MSG_READER_DONE] = "READER_DONE",
	[MSG_TRAIN] = "TRAIN",
	[MSG_TRAINED] = "TRAINED",
	[MSG_JOB_FAILED] = "JOB_FAILED",
	[MSG_POLL] = "POLL",
	[MSG_FROM_COORDINATOR] = "FROM_COORDINATOR",
	[MSG_TO_COORDINATOR] = "TO_COORDINATOR",
	[MSG_UPLOAD] = "UPLOAD",
	[MSG_FETCH] = "FETCH",
	[MSG_FETCHED] = "FETCHED",
	[MSG_DELIVERED] = "DELIVERED",
	[MSG_REACHED] = "REACHED",
	[MSG_ALLOW_LIST] = "ALLOW_LIST",
	[MSG_REQUEST] = "REQUEST",
	[MSG_REPLY] = "REPLY",
	[MSG_CTL_REQUEST] = "CTL_REQUEST",
	[MSG_CTL_REPLY] = "CTL_REPLY",
	[MSG_BOARD] = "BOARD",
};

const char *
proc_name(enum proc proc)
{
	return (unsigned)proc < PROC_COUNT ? proc_names[proc] : "nobody";
}

enum proc
proc_find(const char *name)
{
	for (int i = PROC_PARENT; i < PROC_COUNT; i++) {
		if (strcmp(proc_names[i], name) == 0)
			return (enum proc)i;
	}
	return PROC_NONE;
}

const char *
msg_name(enum msg_type type)
{
	if ((unsigned)type < MSG_COUNT && msg_names[type] != NULL)
		return msg_names[type];
	return "unknown";
}
