# rpc
EXTRA_DIST += %D%/README.md
