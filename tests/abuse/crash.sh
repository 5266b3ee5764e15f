#!/bin/sh
# Cases 24 and 25 whole, not in part: every subset at every boundary, and kill -9
# at each write, sync, rename and removal of a gate and of rounds.
set -eu

cd "$builddir"
make -s tests/abuse/cases_crash tests/abuse/cases_dropouts tests/faults/shim.so \
    tests/faults/gate tests/faults/rounds
DROPOUTS_ALL=1 tests/abuse/cases_dropouts
CRASH_EVERY=${CRASH_EVERY-1} tests/abuse/cases_crash 'abuse_25*'
