#!/bin/sh
# Descriptive statistics in three sites against R's figures on the same 312
# rows, with values missing; then with a smallest cell, and only feasibility.
. "$top_srcdir/tests/e2e/lib.sh"

has() {
	grep -q "$1" "$2" || fail "$2 has no $1"
}

hasnt() {
	! grep -q "$1" "$2" || fail "$2 has $1"
}

# r VARIABLE WHAT GROUP: R's figure, to 12 digits
r() {
	awk -F, -v v="$1" -v what="$2" -v g="${3-}" \
	    '$1 == "pbc" && $2 == v && $3 == what && $4 == g {
		printf "%.12g", $5 }' \
	    "$top_srcdir/tests/vectors/model/summary.csv"
}

# like KEY R'S FIGURE: some number of that key is it, to 1e-9
like() {
	awk -F: -v key="\"$1\"" -v want="$2" 'index($1, key) > 0 {
		d = ($2 - want) / want
		if (d < 1e-9 && d > -1e-9) found = 1
	} END { exit !found }' out/result.json ||
	    fail "no $1 is R's $2"
}

sed 2d "$top_srcdir/tests/vectors/model/summary_pbc.csv" >pbc.csv
deal pbc.csv 'NR'
three_sites "$src/pbc.study"
for v in age bili chol copper; do
	like mean "$(r $v mean 0)"
	like mean "$(r $v mean all)"
	like sd "$(r $v sd 1)"
	like smd "$(r $v smd)"
	like statistic "$(r $v welch)"
	like p "$(r $v equal_p)"
done
like statistic "$(r stage chi2)"
like smd "$(r stage smd)"
like n "$(r "" pairs)"
has 'untreated or successfully treated' out/result.json
has '^chol, mean (sd)' out/result.txt
has '^  missing' out/result.txt
rm -r out

# Levels that are too rare are shown together; every bin has five or none.
sed -e 's/^smallest-cell = 1$/smallest-cell = 12/' \
    -e 's/^dominance = 0$/dominance = 10/' "$src/pbc.study" >cell.study
three_sites cell.study
has '"smallest_cell": 12' out/result.json
has '^Warning: [0-9]* levels are shown together' out/result.txt
awk '/"counts"/ { inside = 1; next }
    inside && /\]/ { inside = 0 }
    inside { n = $1 + 0; seen++; if (n > 0 && n < 12) bad++ }
    END { exit bad > 0 || seen < 50 }' out/result.json ||
	fail "a count of 1 to 11 is shown"
rm -r out

# Who could take part in another study: 24 of the 212 have no wtloss, three no
# age, two of them neither.
awk -F, -v OFS=, 'NR > 1 && NR % 9 == 0 { $8 = "NA" }
    NR == 9 || NR == 18 || NR == 20 { $4 = "" } { print }' \
    "$vectors/lung.csv" >lung.csv
deal lung.csv 'NR'
"$builddir/ctl/consiliumctl" study feasibility "$src/lung.study" \
    --out lung.study >/dev/null
three_sites lung.study
has '"eligible": 188' out/result.json
has '"missing": 23' out/result.json
hasnt '"missing": 3$' out/result.json
has '^age  *not shown$' out/result.txt
has '^  with all columns  *188$' out/result.txt
cd ..
rm -rf "$dir"
