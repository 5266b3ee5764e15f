#!/bin/sh
# Learning with differential privacy in three sites: with hardly any noise it
# comes to R's glm, with noise it says what it promises.
. "$top_srcdir/tests/e2e/lib.sh"

# learn EPSILON ROUNDS: consilium-local itself holds what was learned against
# the same steps without noise, within what the noise can do.
learn() {
	sed -e "s/EPSILON/$1/" -e "s/ROUNDS/$2/" "$src/learning.study" \
	    >learning.study
	rm -rf out
	"$local" --study learning.study --site a=site-a.csv \
	    --site b=site-b.csv --site c=site-c.csv --out out >run.txt \
	    2>run.err || {
		cat run.txt run.err
		fail "consilium-local said no"
	}
	cat run.txt
	tail -n 1 run.txt | grep -q '^|learned - no noise| = ' ||
	    fail "the last line is another"
}

# has KEY VALUE: a line of result.json
has() {
	grep -q "\"$1\": $2,*\$" out/result.json || {
		cat out/result.json
		fail "result.json: $1 is not $2"
	}
}

deal "$vectors/birthwt.csv" 'NR'

# Three sites pay for 4 rounds and 3 retries.
learn 2 4
has delta 1.0000000000000001e-05
has unit '"one patient, present or absent"'
has noise '"discrete gaussian"'
has sums_paid_for 7
has ring 32
has cohort '"open"'
awk -F'[:,]' '/"epsilon"/ { if ($2 > 1.99 && $2 <= 2) ok = 1 }
	/"sigma"/ { if ($2 > 4 && $2 < 10) sigma = 1 }
	END { exit !ok || !sigma }' out/result.json ||
    fail "epsilon or sigma"
# Nothing that is exact: no counts, no likelihood.
if grep -Eq '"(n|events|loglik|concordance|se)":' out/result.json; then
	fail "an exact number is in the result"
fi
# Every upload was charged, before it left; 4 of 7 are spent.
for s in a b c; do
	[ "$(grep -c ' upload .*rho=' out/sites/$s/state/audit.log)" = 4 ] ||
	    fail "$s: not 4 charges"
	grep -q 'sum .*learned=' out/sites/$s/state/audit.log ||
	    fail "$s: the clipped share is not in the audit log"
done

# With epsilon 10^6 the noise is far below a patient.  R's glm of low on smoke
# and ht is 0.7118717 (0.3236538), 1.2300467 (0.6176507); twenty steps without
# noise (clipping touches nobody: all norms are below 0.87) end 0.2030 standard
# errors from it.  A coefficient is a scaled one over half a range, here 1/2.
learn 1000000 20
awk -F'[ ,:]+' '
	FNR == NR { if (/^.learned/) bound = 2 * $NF; next }
	/"name"/ { name = $3 }
	/"estimate"/ && name ~ /smoke/ { n++; d1 = $3 - 0.7118717 }
	/"estimate"/ && name ~ /ht/ { n++; d2 = $3 - 1.2300467 }
	END {
		printf "learned - R: %g, %g; allowed %g, %g\n", d1, d2,
		    bound + 0.2030 * 0.3236538, bound + 0.2030 * 0.6176507
		exit n != 2 || !(bound < 0.2) ||
		    d1 * d1 > (bound + 0.2030 * 0.3236538) ^ 2 ||
		    d2 * d2 > (bound + 0.2030 * 0.6176507) ^ 2
	}' run.txt out/result.json || fail "hardly any noise, but far from R"

# An outsider repeats the steps from the noised sums, and is told what they say
# of clipping: the same as every site's audit log.
ctl=$builddir/ctl/consiliumctl
sed -e "s/EPSILON/2/" -e "s/ROUNDS/2/" "$src/learning.study" >learning.study
rm -rf out
start learning.study
"$ctl" transcript --socket out/run/coordinator.sock learning --chain --out chain
stop
"$ctl" audit replay --root-key out/root/root.pub chain | tee chain.txt
sed -n 's/.* sum .*learned="\([^"]*\)".*/\1/p' out/sites/a/state/audit.log | sed "s/%25/%/" \
    >learned.txt
[ "$(wc -l <learned.txt)" = 2 ] || fail "not two sums in the audit log"
while read -r words; do
	grep -qF "$words" chain.txt || fail "the replay does not say: $words"
done <learned.txt
cd ..
rm -rf "$dir"
