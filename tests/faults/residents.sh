#!/bin/sh
# A fault at each place of uplink, listener, control and board, of reader and
# trainer, and of the parents, where the system can fail them.
set -eu

cd "$builddir"
make -s tests/faults/residents tests/faults/shim.so tests/faults/uplink \
    tests/faults/listener tests/faults/control tests/faults/board \
    tests/faults/reader tests/faults/trainer tests/faults/jobs \
    tests/faults/parents tests/privsep/double
tests/faults/residents
tests/faults/jobs
tests/faults/parents
