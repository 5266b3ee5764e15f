#!/bin/sh
# One recoding for all sites: each site's anonymizer counts its rows at every
# combination of levels, the counts are summed under masks, and the choice is the
# one that the counts in the clear lead to.
. "$top_srcdir/tests/e2e/lib.sh"

ctl=$builddir/ctl/consiliumctl

head_of joint 10 >joint.study
cat >>joint.study <<'END'
[model]
kind = logistic
outcome = ill
[privacy]
k = 4
suppression-limit = 0.1
smallest-cell = 5
cohort = fixed
rows-per-site = 1000
[column ill]
type = levels
levels = no, yes
privacy = sensitive
use = outcome
# How old.
[column age]
type = integer
range = 18..80
privacy = quasi-identifier
level = 2
use = feature
[hierarchy age]
level-1 = cut 18 30 40 50 60 70 80
level-2 = cut 18 50 80
[column ward]
type = levels
levels = A, B, C, D
privacy = quasi-identifier
level = 1
use = feature
[hierarchy ward]
level-1 = group in: A, B; out: C, D
END

# Three sites of 150, 110 and 70 rows; seldom ward D.
for i in 0 1 2; do
	awk -v site=$i 'function next_random() {
		r = (r * 16807) % 2147483647
		return r / 2147483647
	}
	BEGIN {
		r = 77 + site
		print "ill,age,ward"
		for (i = 0; i < 150 - 40 * site; i++) {
			ill = next_random() < 0.3 ? "yes" : "no"
			age = 25 + int(50 * next_random() * next_random())
			u = next_random()
			ward = u < 0.4 ? "A" : u < 0.7 ? "B" : u < 0.97 ? "C" : "D"
			print ill "," age "," ward
		}
	}' >"rows-$i.csv"
	site=$(echo abc | cut -c$((i + 1)))
	"$ctl" study recode --csv "rows-$i.csv" --counts "site-$site.csv" \
	    joint.study
	# The same counts, row by row.
	awk -F, -v limit=0.1 -v k=4 '
	function age_group(a, l) {
		if (l == 0) return a
		if (l == 2) return a >= 50
		return a < 30 ? 0 : a >= 70 ? 5 : int(a / 10) - 2
	}
	function age_leaves(a, l) {
		if (l == 0) return 1
		if (l == 2) return a < 50 ? 32 : 31
		return a < 30 ? 12 : a >= 70 ? 11 : 10
	}
	function ward_group(w, l) { return l == 0 ? w : w ~ /[AB]/ }
	NR > 1 { age[++n] = $2; ward[n] = $3 }
	END {
		print "recoding-item,recoding-value"
		print "0," n
		item = 1
		for (l = 0; l < 3; l++) {
			sum = 0
			for (i = 1; i <= n; i++) sum += age_leaves(age[i], l)
			print item++ "," sum
		}
		print item++ "," n
		print item++ "," 2 * n
		for (l = 0; l < 3; l++) for (m = 0; m < 2; m++) {
			split("", size)
			lost = 0
			for (i = 1; i <= n; i++)
				size[age_group(age[i], l), ward_group(ward[i], m)]++
			for (c in size) if (size[c] < k) lost += size[c]
			print item++ "," lost
			print item++ "," (lost > int(limit * n) || lost == n)
		}
	}' "rows-$i.csv" | cmp - "site-$site.csv" ||
		fail "site $site has counted otherwise"
done
"$ctl" study recode --out counts.study joint.study
"$ctl" study check counts.study >/dev/null
three_sites counts.study
"$ctl" study recode --result out/result.json --out chosen.study joint.study \
    >chosen.txt
cat chosen.txt

# In the clear: the sums, what is below the smallest cell raised to it.
awk -F, 'FNR > 1 { sum[$1] += $2; if ($1 > last) last = $1 }
END {
	printf "{ \"study\": \"joint-recoding\", \"items\": ["
	for (i = 0; i <= last; i++) {
		if (sum[i] > 0 && sum[i] < 5) sum[i] = 5
		if (i > 0) printf ", "
		printf "%d", sum[i]
	}
	print "] }"
}' site-a.csv site-b.csv site-c.csv >clear.json
"$ctl" study recode --result clear.json --out clear.study joint.study \
    >clear.txt
cmp chosen.study clear.study || fail "another choice than in the clear"
cmp chosen.txt clear.txt || fail "another Loss than in the clear"
"$ctl" study check chosen.study >/dev/null
grep -q '^# How old.$' chosen.study || fail "a comment is lost"
# Every site can be prepared with it.
for i in 0 1 2; do
	"$ctl" study recode --csv "rows-$i.csv" chosen.study >fits.txt
	! grep -q 'does not fit' fits.txt || fail "it does not fit site $i"
done

# A table of patients is no table of counts, and counts of another study are
# refused.
! "$ctl" study recode --result out/result.json --out x.study counts.study \
    2>err.txt || fail "counts of counts"
sed 's/^level-2 = cut 18 50 80$//; s/^level = 2$/level = 1/' joint.study >other.study
! "$ctl" study recode --result out/result.json --out x.study other.study \
    2>err.txt || fail "another lattice was taken"
grep -q 'they are of another study' err.txt || fail "no reason"
sed 's/^\[column recoding-item\]/[column age]/' counts.study >patients.study
! "$ctl" study check patients.study 2>err.txt || fail "any column was taken"
grep -q 'expected the columns recoding-item and recoding-value' err.txt ||
    fail "no reason"
cd ..
rm -rf "$dir"
