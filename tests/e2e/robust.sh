#!/bin/sh
# Standard errors by patient and by site, where a hospital is killed on the way;
# ridge penalties; each against plain code on the tables put together.
. "$top_srcdir/tests/e2e/lib.sh"

for i in 0 1 2 3 4; do
	awk -F, -v site=$i 'NR == 1 || NR % 5 == site' "$vectors/epil.csv" \
	    >"site-$i.csv"
done

# five_sites KEY ... : epil.study with these lines in [model]
five_sites() {
	rm -rf out
	{
		sed '/^\[model\]/q' "$src/epil.study"
		printf '%s\n' "$@"
		sed '1,/^\[model\]/d' "$src/epil.study"
	} >study
	"$local" --study study --site a=site-0.csv --site b=site-1.csv \
	    --site c=site-2.csv --site d=site-3.csv --site e=site-4.csv \
	    --kill d@upload:4 --out out >run.txt 2>run.err || {
		cat run.txt run.err
		fail "consilium-local said no"
	}
	cat run.txt
	grep -q 'd: takes part again' run.err run.txt || fail "nobody was killed"
	tail -n 1 run.txt | grep -q '^max |federated - pooled| / se = ' ||
	    fail "the last line is another"
}

five_sites 'robust = site'
grep -q '^Standard errors  *robust, clustered by site' run.txt ||
    fail "does not say which errors"
grep -q '"robust": "site"' out/result.json || fail "no robust"
grep -q '"model_se"' out/result.json || fail "no errors of the model"
grep -q 'residuals' run.txt || grep -q 'residuals' run.err || fail "no such round"
five_sites 'ridge = 3'
grep -q '^Ridge penalty  *lambda 3 on standardised terms leaves' run.txt ||
    fail "does not say which penalty"
sed -n '/"terms"/,/^  \]/p' out/result.json | grep -q '"p": null' ||
    fail "a test of what is shrunk"

# Four visits of each patient, all of them at one site, against R.
golden=$top_srcdir/tests/vectors/model
deal "$golden/robust_epil.csv" '$5'
rm -rf out
three_sites "$src/visits.study" --kill b@upload
grep -q 'all processes of b were killed' out/sites/b/log ||
    fail "b was not killed"
awk -F, '$1 == "epil_poisson_patient" { print $3 }' "$golden/robust.csv" >beta.r
numbers estimate out/result.json >beta
near beta.r beta
awk -F, '$1 == "epil_poisson_patient" { print $4 }' "$golden/robust.csv" >se.r
numbers se out/result.json >se
near se.r se
grep -q '^Standard errors  *robust, clustered by patient (59);' run.txt ||
    fail "does not say how many patients"
sed '/^pseudonym/d' "$src/visits.study" >bad.study
"$local" --study bad.study --site a=site-a.csv --site b=site-b.csv \
    --site c=site-c.csv --out bad >bad.txt 2>&1 && fail "rows of nobody"
grep -q 'robust = patient need pseudonym = yes' bad.txt ||
    fail "says something else"

deal "$vectors/epil.csv" 'NR'
for bad in 'robust = maybe' 'ridge = -1'; do
	sed "s/^family.*/&\n$bad/" "$src/epil.study" >bad.study
	"$local" --study bad.study --site a=site-a.csv --site b=site-b.csv \
	    --site c=site-c.csv --out bad >bad.txt 2>&1 && fail "$bad"
	grep -q 'bad.study:[0-9]*:[0-9]*: ' bad.txt || fail "no place: $bad"
done
sed "s/^family.*/&\nrobust = site/" "$src/epil.study" >bad.study
"$local" --study bad.study --site a=site-a.csv --site b=site-b.csv \
    --site c=site-c.csv --out bad >bad.txt 2>&1 && fail "three sites"
grep -q 'expected at least 5' bad.txt || fail "says something else"
cd ..
rm -rf "$dir"
