#!/bin/sh
# Competing causes in three sites, one of which is killed on the way; with the
# smallest step that hospitals use, against plain code on all tables.
. "$top_srcdir/tests/e2e/lib.sh"

has() {
	grep -q "$1" "$2" || fail "$2 has no $1"
}

head_of mgus 10 >study
cat >>study <<'END'
[model]
kind = cuminc
time = time
event = event
censored = 0
groups = stratum
bounds = log-log

[privacy]
k = 1
smallest-risk-set-step = 5
cohort = fixed
max-rejected-rows = 0
rows-per-site = 1000

[column time]
type = integer
unit = months
range = 0..500
privacy = none
use = outcome

[column event]
type = levels
levels = 1: progression, 0: neither, 2: death
privacy = none
use = outcome

[column stratum]
type = levels
levels = 0: young women, 1: young men, 2: old women, 3: old men
privacy = none
use = stratum
END
deal "$vectors/../model/cuminc_mgus2.csv" NR
three_sites study --kill b@upload:2
has '^Cumulative incidence by groups, competing causes' out/result.txt
has "^Gray's test, progression" out/result.txt
has "^Gray's test, death" out/result.txt
has '^stratum=3, death' out/result.txt
has '^Warning: times are known by intervals' out/result.txt
has '"cause": "progression"' out/result.json
has '"incidence": ' out/result.json
n=$(grep -c '"name": "death"' out/result.json)
test "$n" -eq 4 || fail "$n groups have a curve of death"

for bad in 'censored = 3' 'censored = 0\nevent-level = 1' 'ties = efron' \
    'censored = 0\nterms = time' 'censored = 0\nrho = 1' \
    'censored = 0\nstrata = site' 'time-step = 1'; do
	sed "s/^censored.*/$bad/" study >bad.study
	"$local" --study bad.study --site a=site-a.csv --site b=site-b.csv \
	    --site c=site-c.csv --out bad >bad.txt 2>&1 && fail "$bad"
	grep -q 'bad.study:[0-9]*:[0-9]*: ' bad.txt || fail "no place: $bad"
done
cd ..
rm -rf "$dir"
