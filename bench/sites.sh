#!/bin/sh
# Seconds for a whole study, by the number of sites, all on this machine.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "cores: $(nproc)"
for n in 4 10 20; do
	mkdir "$work/$n"
	set --
	i=1
	while [ $i -le $n ]; do
		awk -v n=$n -v i=$i 'NR == 1 || NR % n == i % n' \
		    "$top_srcdir/tests/vectors/pooled/lung.csv" \
		    >"$work/$n/$i.csv"
		set -- "$@" --site "s$i=$work/$n/$i.csv"
		i=$((i + 1))
	done
	start=$(date +%s.%N)
	"$builddir/ctl/consilium-local" \
	    --study "$top_srcdir/tests/e2e/lung.study" "$@" \
	    --out "$work/$n/out" >"$work/$n/run.txt" 2>&1 || {
		cat "$work/$n/run.txt"
		exit 1
	}
	end=$(date +%s.%N)
	echo "$n sites: $(echo "$end $start" | awk '{ printf "%.1f", $1 - $2 }') s," \
	    "$(tail -n 1 "$work/$n/run.txt")"
done
