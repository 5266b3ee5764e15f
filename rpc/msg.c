#include "rpc/msg.h"

#include "common/macros.h"

static const struct {
	enum err_code code;
	enum rpc_status status;
} told[] = {
	{ ERR_NONE, RPC_OK },
	{ ERR_SYSTEM, RPC_UNAVAILABLE },
	{ ERR_CONFIG, RPC_DENIED },
	{ ERR_FORMAT, RPC_INVALID },
	{ ERR_PEER, RPC_INVALID },
	{ ERR_REFUSED, RPC_REFUSED },
	{ ERR_BUDGET, RPC_REFUSED },
	{ ERR_NUMERIC, RPC_INVALID },
};

enum rpc_status
rpc_status_of(enum err_code code)
{
	for (size_t i = 0; i < nitems(told); i++) {
		if (told[i].code == code)
			return told[i].status;
	}
	return RPC_INTERNAL;
}

enum err_code
rpc_err_of(enum rpc_status status)
{
	switch (status) {
	case RPC_OK:
		return ERR_NONE;
	case RPC_INVALID:
		return ERR_PEER;
	case RPC_DENIED:
	case RPC_UNIMPLEMENTED:
		return ERR_CONFIG;
	case RPC_REFUSED:
		return ERR_REFUSED;
	default:
		return ERR_SYSTEM;
	}
}
