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

# The other families, an offset, weights and a reference, against plain code.
rm -r out
sed 's/= poisson/= negative-binomial\ntheta = 2\noffset = V4\nweights = age/
    s/^terms.*/terms = trt, base/' "$src/epil.study" >negbin.study
three_sites negbin.study
grep -q '^Negative binomial regression (log link), theta 2' run.txt ||
    fail "no heading"
grep -q '"theta": 2,' out/result.json || fail "no theta"
rm -r out
sed 's/= poisson/= quasibinomial/; s/^terms.*/terms = base, age/
    s/^outcome.*/outcome = trt\noffset = V4/; /^\[column y\]/,/^$/d
    /^\[column trt\]/,/^$/{s/integer/levels/;s/^range.*/levels = 0, 1/
    s/feature/outcome/}' "$src/epil.study" >binomial.study
printf 'extra-columns = drop\n' >drop
sed -i '/^expires/r drop' binomial.study
three_sites binomial.study
grep -q '^Logistic regression with dispersion' run.txt || fail "no heading"
rm -r out
deal "$vectors/birthweight.csv" 'NR'
sed 's/= gaussian/= gamma/; s/^range = 0\.\.\([0-9]*\)$/range = 0..\1/
    /^\[column bwt\]/,/^$/s/^range.*/range = 100..9999/' \
    "$src/birthweight.study" >gamma.study
three_sites gamma.study
grep -q '^Gamma regression' run.txt || fail "no heading"
rm -r out
sed 's/^family = gamma/&\nlink = inverse/' gamma.study >inverse.study
three_sites inverse.study
grep -q '^Gamma regression (inverse link)' run.txt || fail "no such link"
grep -q '"link": "inverse",' out/result.json || fail "no link"
for bad in 'offset = age' 'ridge = 1'; do
	sed "s/^link.*/&\n$bad/" inverse.study >bad.study
	"$local" --study bad.study --site a=site-a.csv --site b=site-b.csv \
	    --site c=site-c.csv --out bad >bad.txt 2>&1 && fail "$bad"
	grep -q 'ridge, offset: not with link = inverse' bad.txt || fail "$bad"
done
deal "$vectors/epil.csv" 'NR'
for bad in 'theta = 3' 'weights = trt\nfamily = x' 'offset = base'; do
	sed "s/^terms.*/$bad/" "$src/epil.study" >bad.study
	"$local" --study bad.study --site a=site-a.csv --site b=site-b.csv \
	    --site c=site-c.csv --out bad >bad.txt 2>&1 && fail "$bad"
	grep -q 'bad.study:[0-9]*:[0-9]*: ' bad.txt || fail "no place: $bad"
done

# Successes by trials: seizures as a share of those before (which are more).
rm -rf out
sed 's/= poisson/= binomial\ntrials = base/; s/^terms.*/terms = trt, age/' \
    "$src/epil.study" >trials.study
awk -F, -v OFS=, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; print; next }
    { if ($at["y"] > $at["base"]) $at["y"] = $at["base"]; print }' \
    "$vectors/epil.csv" >fewer.csv
deal fewer.csv 'NR'
three_sites trials.study
grep -q '^Logistic regression of successes by trials' run.txt || fail "no heading"
deal "$vectors/epil.csv" 'NR'

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
