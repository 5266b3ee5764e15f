#!/bin/sh
# A fault at each place of a gate and of rounds where the system can fail them.
set -eu

cd "$builddir"
make -s tests/faults/places tests/faults/shim.so tests/faults/gate \
    tests/faults/rounds
tests/faults/places
