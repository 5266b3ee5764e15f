#!/bin/sh
# Models by formula in three sites against R: products, a reference, a spline
# with fixed knots, powers, logarithms, an offset; and mistakes with their place.
. "$top_srcdir/tests/e2e/lib.sh"

# with STUDY FORMULA: the study with it instead of its own terms
with() {
	sed "/^terms/d; /^outcome = \|^time = \|^event = /d
	    s%^kind = .*%&\nformula = $2%" "$src/$1.study"
}

# named NAME ...: the terms of the result in this order
named() {
	awk '/"terms"/ { inside = 1 } /"effects"/ { exit }
	    inside && /"name"/ { gsub(/.*: "|",$/, ""); print }' \
	    out/result.json >names.txt
	printf '%s\n' "$@" | cmp - names.txt || fail "other names"
}

deal "$vectors/birthweight.csv" 'NR'
with birthweight 'bwt ~ smoke + age*race + rcs(lwt, 4) + ht:smoke' |
    sed 's/^levels = 1, 2, 3/&\nreference = 2/
    /^\[column lwt\]/s/$/\nknots = 100, 120, 150, 180/' >formula.study
three_sites formula.study
like_r formula out/result.json
named '(Intercept)' smoke age race1 race3 lwt "lwt'" "lwt''" age:race1 \
    age:race3 smoke:ht
grep -q '^rcs(lwt, 4)  *[0-9.]*  *3 ' run.txt || fail "no effect of the spline"
grep -q '^age:race  *[0-9.]*  *2 ' run.txt || fail "no effect of the product"
rm -r out

deal "$vectors/epil.csv" 'NR'
with epil 'y ~ trt * log(base) + I(age^2) + offset(log(age))' |
    sed 's/^range = 0\.\.200/range = 0..200/
    /^\[column base\]/,/^$/s/^range.*/range = 1..200/' >offset.study
three_sites offset.study
like_r offset out/result.json
rm -r out

deal "$vectors/lung.csv" 'NR'
with lung 'Surv(time, event) ~ age + sex * karno + ecog' >surv.study
three_sites surv.study
like_r surv out/result.json

# refused FORMULA PLACE WORDS: in line:column
refused() {
	with birthweight "$1" >bad.study
	"$local" --study bad.study --site a=site-a.csv --site b=site-b.csv \
	    --site c=site-c.csv --out bad >bad.txt 2>&1 && fail "$1"
	grep -q "bad.study:$2: formula: $3" bad.txt || {
		cat bad.txt
		fail "$1: not at $2, or not \"$3\""
	}
}

refused 'bwt' 14:14 'expected ~ after the outcome'
refused 'bwt ~ ' 14:16 'ends where a column was expected'
refused 'bwt ~ age + 1' 14:23 'numbers are no terms'
refused 'bwt ~ age + aeg' 14:23 'there is no \[column aeg\]'
refused 'bwt ~ age:race' 14:17 'a product with "race" needs'
refused 'bwt ~ age - race' 14:21 'expected + \* : or the end'
refused 'bwt ~ sqrt(age)' 14:17 'sqrt is no function here'
refused 'bwt ~ log(race)' 14:17 'column "race" has levels'
refused 'bwt ~ log(smoke)' 14:17 'the range of "smoke" is not above 0'
refused 'bwt ~ rcs(age, 4)' 14:17 'column "age" has 0 knots, expected 4'
refused 'bwt ~ rcs(age, c(30, 20, 40))' 14:32 'expected knots in order'
refused 'bwt ~ rcs(age, c(30, 40))' 14:32 '2 knots, expected at least 3'
refused 'bwt ~ age + (lwt)' 14:23 'expected a column'
refused 'bwt ~ age*age:age' 14:25 '"age" is in this product twice'
refused 'bwt ~ I(age^1)' 14:23 'expected a whole number of 2 to 9'
refused 'bwt ~ offset(age)*lwt' 14:28 'an offset is in no product'
refused 'bwt ~ `age' 14:17 'a ` that is not closed'
with birthweight 'bwt ~ age' | sed 's/^formula.*/&\nterms = age/' >bad.study
"$local" --study bad.study --site a=site-a.csv --site b=site-b.csv \
    --site c=site-c.csv --out bad >bad.txt 2>&1 && fail "both"
grep -q 'formula: stands for terms, outcome, time, entry and' bad.txt ||
    fail "says something else"
cd ..
rm -rf "$dir"
