#!/bin/sh
# A fault at each place of uplink, listener, control and board where the system
# can fail them.
set -eu

cd "$builddir"
make -s tests/faults/residents tests/faults/shim.so tests/faults/uplink \
    tests/faults/listener tests/faults/control tests/faults/board
tests/faults/residents
