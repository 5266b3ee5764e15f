#!/bin/sh
# Linear regression in three sites against R's lm; Poisson regression, without
# and with a dispersion, against its glm.
. "$top_srcdir/tests/e2e/lib.sh"

deal "$vectors/birthweight.csv" 'NR'
three_sites "$src/birthweight.study"
like_r gaussian out/result.json
grep -q '^Linear regression; outcome: bwt' run.txt || fail "no heading"
grep -q '^R squared' run.txt || fail "no R squared"
rm -r out

deal "$vectors/epil.csv" 'NR'
three_sites "$src/epil.study"
like_r poisson out/result.json
rm -r out

sed 's/= poisson/= quasipoisson/' "$src/epil.study" >quasi.study
three_sites quasi.study
like_r quasi out/result.json

# A count is a whole number; one kind has no keys of another.
sed '/^\[column y\]/,/^$/s/integer/real/' "$src/epil.study" >real.study
"$local" --study real.study --site a=site-a.csv --site b=site-b.csv \
    --site c=site-c.csv --out bad >bad.txt 2>&1 && fail "a real count"
grep -q 'must be a count' bad.txt || fail "says something else"
sed '/^family/d' "$src/epil.study" >none.study
"$local" --study none.study --site a=site-a.csv --site b=site-b.csv \
    --site c=site-c.csv --out bad >bad.txt 2>&1 && fail "no family"
grep -q 'has no key "family"' bad.txt || fail "says something else"
cd ..
rm -rf "$dir"
