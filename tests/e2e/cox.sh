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

# Recurrent infections, with an entry: several rows per patient; and a treatment
# whose effect changes with time.
mv out lung
deal "$golden/cox_cgd.csv" '$2'
three_sites "$src/cgd.study" --kill c@confirm
awk -F, '$1 == "cgd_time" && $2 == "efron" { print $4 }' \
    "$golden/cox_entry.csv" >beta.r
numbers estimate out/result.json >beta
near beta.r beta
awk -F, '$1 == "cgd_time" && $2 == "efron" { print $5 }' \
    "$golden/cox_robust.csv" >se.r
numbers se out/result.json >se
near se.r se

# Each site a stratum of its own, with entries, on times that it merges.
sed -e '/^time-/d' -e 's/ + steroids//' -e 's/^robust = patient/&\nstrata = site/' \
    -e 's/^smallest-risk-set-step = 1/smallest-risk-set-step = 3/' \
    "$src/cgd.study" >site.study
mv out cgd
three_sites site.study
grep -q '^Cox proportional hazards, Efron ties, stratified by site' run.txt ||
    fail "not by site"
grep -q '^Concordance  *0' run.txt || fail "no concordance"

# A row that ends before it begins.
awk -F, -v OFS=, 'NR == 2 { $3 = $4 } { print }' site-a.csv >bad.csv
"$local" --study "$src/cgd.study" --site a=bad.csv --site b=site-b.csv \
    --site c=site-c.csv --out bad >bad.txt 2>&1 && fail "a bad row was taken"
grep -q 'bad.csv:2:[0-9]*: entry: expected an entry before the time' bad.txt || {
	cat bad.txt
	fail "the bad row is not named"
}
cd ..
rm -rf "$dir"
