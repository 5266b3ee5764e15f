#!/bin/sh
# Case 25 at every point, not at some: kill -9 at each write, sync, rename and
# removal of a gate and of rounds.
set -eu

cd "$builddir"
make -s tests/abuse/cases_crash tests/faults/shim.so tests/faults/gate \
    tests/faults/rounds
CRASH_EVERY=1 tests/abuse/cases_crash 'abuse_25*'
