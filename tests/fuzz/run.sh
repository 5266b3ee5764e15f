#!/bin/sh
# Run the fuzzers, two at a time, and put what they found into the corpora:
#
#     mkdir fuzz && cd fuzz && SRC/configure --enable-fuzz CC=clang && make
#     SRC/tests/fuzz/run.sh REPLAY SECONDS [fuzz_X ...]
#
# REPLAY is a build tree without --enable-fuzz, whose programs write the seeds
# and pack the corpora.  Prints a line of figures for each.
set -eu
src=$(cd "$(dirname "$0")/../.." && pwd)
replay=$1
seconds=$2
shift 2
[ $# -gt 0 ] || set -- $(cd "$src/tests/fuzz" && ls fuzz_*.c | sed 's/\.c$//')
mkdir -p found

# pack FUZZER: few inputs that reach all that was reached (a set cover).
pack() {
	rm -rf "found/$1.min" && mkdir "found/$1.min"
	tests/fuzz/"$1" -set_cover_merge=1 "found/$1.min" "found/$1" 2>/dev/null
	(cd "found/$1.min" && "$replay/tests/fuzz/$1" --pack \
	    "$src/tests/fuzz/corpus/$1" $(ls))
}

one() {
	mkdir -p "found/$1"
	[ -n "$(ls "found/$1")" ] ||
	    "$replay/tests/fuzz/$1" --seeds "found/$1"
	tests/fuzz/"$1" -max_total_time="$seconds" -max_len=4096 \
	    -print_final_stats=1 -artifact_prefix="found/crash-$1-" \
	    "found/$1" >"found/$1.log" 2>&1 || echo "$1: failed, see found/$1.log"
	pack "$1"
	printf '%s: %s executions, %s\n' "$1" \
	    "$(sed -n 's/^stat::number_of_executed_units: *//p' "found/$1.log")" \
	    "$(grep '^#.*cov:' "found/$1.log" | tail -n 1 |
		sed 's/.*cov: \([0-9]*\).*/\1 edges/')"
}

while [ $# -gt 0 ]; do
	one "$1" &
	if [ $# -gt 1 ]; then
		shift
		one "$1"
	fi
	shift
	wait
done
