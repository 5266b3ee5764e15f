#!/bin/sh
# make check in a build with AddressSanitizer, its look for leaks and UBSan, and
# what any process of any test has reported, though its test may have passed.
#
# TESTS: some tests only (default: all, half an hour); BUILD: a folder to
# build in and to keep.
set -eu

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
: "${BUILD:=$dir/build}"
mkdir -p "$BUILD/reports"
cd "$BUILD"
rm -f reports/*
chmod 755 "$dir" # daemons are other users
chmod 1777 reports
[ -e Makefile ] ||
    "$top_srcdir/configure" -q --enable-asan CC="${CC:-gcc}"
export ASAN_OPTIONS="log_path=$PWD/reports/report:log_exe_name=1"
export UBSAN_OPTIONS="print_stacktrace=1:$ASAN_OPTIONS"
rc=0
make -s -k check ${TESTS:+TESTS="$TESTS"} || rc=1

cat reports/* 2>/dev/null && rc=1
echo "sanitizers: $(find reports -type f | wc -l) reports"
exit $rc
