#!/bin/sh
# The first rounds of tests/chaos/chaos.sh, in short.
set -eu
ROUNDS=2 SEED=${SEED:-1} SHORT=yes exec sh "$top_srcdir/tests/chaos/chaos.sh"
