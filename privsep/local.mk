# privsep
