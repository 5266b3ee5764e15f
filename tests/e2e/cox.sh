#!/bin/sh
# What a Cox model says beside its coefficients, against R: robust standard
# errors, proportional hazards, the baseline hazard.  A site is killed on the
# way.
. "$top_srcdir/tests/e2e/lib.sh"

golden=$top_srcdir/tests/vectors/model
deal "$vectors/lung.csv" '$1'
sed -e 's/^ties = efron/&\
robust = patient\
ph-test = yes\
baseline = yes/' "$src/lung.study" >cox.study
three_sites cox.study --kill b@upload
grep -q 'all processes of b were killed' out/sites/b/log ||
    fail "b was not killed"

# Numbers of the lines with a key, in order.
numbers() {
	sed -n "s/^ *\"$1\": \([-+.e0-9]*\),*\$/\1/p" "$2"
}

# near EXPECTED GOT: two files with as many numbers, alike to 1e-9
near() {
	paste -d' ' "$1" "$2" | awk '
	{ d = $1 - $2; if (d < 0) d = -d; s = $1 < 0.01 ? 0.01 : $1 }
	NF != 2 || !(d <= 1e-9 * s) { bad++ }
	d / s > worst { worst = d / s }
	END { printf "%d numbers, max difference %.1e\n", NR, worst
	    exit NR == 0 || bad > 0 }' || fail "$1 is not what R has"
}

awk -F, '$1 == "lung" && $2 == "efron" && $3 == "row" { print $5 }' \
    "$golden/cox_robust.csv" >se.r
numbers se out/result.json >se
near se.r se
awk -F, '$1 == "lung" && $2 == "efron" { print $5 }' "$golden/cox_tests.csv" \
    >chi2.r
sed -n '/"proportional_hazards"/,/^  }/p' out/result.json >ph.json
numbers chi2 ph.json >chi2
near chi2.r chi2

# R's hazard is of a patient whose terms are 0.
numbers estimate out/result.json >beta
sed -n '/"at": {/,/}/s/.*": \([-.e0-9]*\),*$/\1/p' out/result.json >means
shift=$(paste -d' ' beta means | awk '{ s += $1 * $2 } END { printf "%.17g", s }')
numbers time out/result.json >time
numbers hazard out/result.json >hazard
awk -F, '$1 == "lung" && $2 == "efron" { print $4, $5 }' \
    "$golden/cox_hazards.csv" | awk -v shift="$shift" '
	FILENAME == ARGV[1] { time[NR] = $1; n = NR; next }
	FILENAME == ARGV[2] { hazard[FNR] = $1; next }
	{
		for (k = 1; k < n && time[k + 1] <= $1;)
			k++
		printf "%.17g %.17g\n", $2, hazard[k] * exp(-shift)
	}' time hazard - >both
cut -d' ' -f1 both >hazard.r
cut -d' ' -f2 both >hazard.got
near hazard.r hazard.got

grep -q '^Standard errors .*clustered by patient' out/result.txt ||
    fail "result.txt does not say that errors are robust"
sed -n '/^proportional hazards/,$p' out/result.txt
cd ..
rm -rf "$dir"
