#!/bin/sh
# A site killed after each kind of message, in the first Newton round; the
# study must complete and equal the pooled fit each time.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for i in 0 1 2 3; do
	awk -F, -v i=$i 'NR == 1 || $1 % 4 == i' \
	    "$top_srcdir/tests/vectors/pooled/lung.csv" >"$work/$i.csv"
done
for phase in ready shares upload confirm unmask; do
	"$builddir/ctl/consilium-local" \
	    --study "$top_srcdir/tests/e2e/lung.study" \
	    --site a="$work/0.csv" --site b="$work/1.csv" \
	    --site c="$work/2.csv" --site d="$work/3.csv" \
	    --kill "b@$phase" --out "$work/$phase" >"$work/run.txt" 2>&1 || {
		cat "$work/run.txt"
		exit 1
	}
	echo "$phase: $(tail -n 1 "$work/run.txt")"
done
