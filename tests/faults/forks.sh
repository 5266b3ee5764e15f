#!/bin/sh
# All tests of tests/rounds once more, and with each place of a gate and of
# rounds that they reach a child that meets a fault there (forks.c).
set -eu

cd "$builddir"
tests="tests/abuse/cases_learning tests/abuse/cases_noise"
for source in "$top_srcdir"/tests/rounds/test_*.c; do
	tests="$tests tests/rounds/$(basename "$source" .c)"
done
# shellcheck disable=SC2086 # a list of words
make -s tests/faults/forks tests/faults/shim.so tests/faults/gate \
    tests/faults/rounds $tests
dir=$(mktemp -d)
trap 'rm -r "$dir"' EXIT
# shellcheck disable=SC2086
tests/faults/forks "$dir" $tests
