#!/bin/sh
# All tests of tests/rounds once more, and with each place of a gate and of
# rounds that they reach a child that meets a fault there (forks.c).
set -eu

cd "$builddir"
tests="tests/rounds/test_consortium tests/rounds/test_control
    tests/rounds/test_epochs tests/rounds/test_jobs tests/rounds/test_mistakes
    tests/rounds/test_offers tests/rounds/test_options tests/rounds/test_renew
    tests/rounds/test_requests tests/rounds/test_restored
    tests/rounds/test_shown tests/rounds/test_vouched
    tests/abuse/cases_learning tests/abuse/cases_noise"
# shellcheck disable=SC2086 # a list of words
make -s tests/faults/forks tests/faults/shim.so tests/faults/gate \
    tests/faults/rounds $tests
dir=$(mktemp -d)
trap 'rm -r "$dir"' EXIT
# shellcheck disable=SC2086
tests/faults/forks "$dir" $tests
