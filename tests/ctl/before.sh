#!/bin/sh
# Before a study is signed: a skeleton that holds no rare value, what a check
# finds, and the small study that counts who could take part.
set -eu

ctl="$builddir/ctl/consiliumctl"
src="$top_srcdir/tests/e2e"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
	echo "$0: $1" >&2
	exit 1
}

# says TEXT COMMAND ...: it succeeds and prints that
says() {
	text=$1
	shift
	"$ctl" "$@" >said 2>&1 </dev/null || { cat said; fail "$* failed"; }
	grep -q "$text" said || { cat said; fail "$* did not say: $text"; }
}

# refuses TEXT COMMAND ...: it fails, and prints that
refuses() {
	text=$1
	shift
	! "$ctl" "$@" >said 2>&1 </dev/null || fail "$* did not fail"
	grep -q "$text" said || { cat said; fail "$* did not say: $text"; }
}

# 60 rows: a ward that 4 have, a name that one has, a diagnosis in two words.
awk 'BEGIN {
	print "name,ward,sex,days,dead,dose"
	for (i = 0; i < 60; i++)
		print "P" i "," (i % 15 == 0 ? "rare-ward" : i % 2 ? "A" : \
		    "\"B, east\"") "," (i % 3 == 0) "," 10 + i "," (i % 4 == 0) \
		    "," i / 7
}' >t.csv
says '6 columns, 4 of them' study init t.csv --out new.study --name mine \
    --kind cox --time days --event dead
grep -q '^name = mine$' new.study || fail "no name"
grep -q '^time = days$' new.study || fail "no time"
grep -q '^levels = "A", "B, east"$' new.study || fail "no wards"
grep -q '^# values that fewer than 5 rows' new.study || fail "no note"
grep -q '^levels = "1", "0"$' new.study || fail "no sex"
! grep -q -e rare -e P1 -e 0.14 new.study || fail "a rare value is written"
grep -A 4 '^\[column dead\]' new.study | grep -q '^use = outcome' ||
    fail "dead is the outcome"
says 'columns' study init t.csv --out k.study --k 31
! grep -q -e '^levels = .*A' k.study || fail "30 rows are fewer than 31"
# Patients who come often: their rows are not few, and yet no value of what says
# who they are is written, by the column's name or by its cells.
awk 'BEGIN {
	print "who,name,insurance_number,lives,street,born_on,birth_date,sex,dead"
	for (i = 0; i < 60; i++)
		print (i % 2 ? "Eva Muster" : "Ida Probe") "," \
		    (i % 2 ? "Eva" : "Ida") "," (i % 2 ? "K471" : "K472") \
		    ",\"Hauptstr. " i % 2 + 7 ", 01067 Dresden\"," \
		    (i % 2 ? "Ring" : "Gasse") "," \
		    (i % 2 ? "1961-02-03" : "1962-03-04") "," \
		    (i % 2 ? "Feb 61" : "Mar 62") "," \
		    (i % 2 ? "f" : "m") "," (i % 3 == 0)
}' >often.csv
says '9 columns' study init often.csv --out often.study --kind logistic \
    --outcome dead
! grep -q -e Eva -e Ida -e K47 -e Haupt -e Ring -e Gasse -e 1961 -e 'Feb' \
    often.study || { cat often.study; fail "who they are is written"; }
[ "$(grep -c '^# looks like .*: its values are not written here$' \
    often.study)" -eq 6 ] || { cat often.study; fail "it is not said"; }
grep -q '^levels = "m", "f"$' often.study || fail "no levels of sex"
# An outcome is chosen by who knows it.
says '9 columns' study init often.csv --out who.study --kind logistic \
    --outcome who
grep -q '^levels = "Ida Probe", "Eva Muster"$' who.study || fail "no outcome"
refuses 'no column "nobody"' study init t.csv --out no.study --time nobody
refuses 'expected cox' study init t.csv --out no.study --kind magic
[ ! -e no.study ] || fail "something was written"

# What a check finds.
says 'model  *cox' study check "$src/lung.study"
! grep -q 'would fail' said || fail "lung.study would not fail"
refuses 'site 2 has 4 rows: no class of k = 5' \
    study check --rows 900,4 "$top_srcdir/tests/e2e/../../examples/breast-cancer/rfs.study"
sed 's/^expires = .*/expires = 2001-01-01/' "$src/lung.study" >old.study
refuses 'would fail: it has expired' study check old.study
sed 's/^range = 20..100$/range = 0..99999999/' "$src/lung.study" >code.study
says 'look at: age may be any of 100000000' study check code.study
cat >circle.study <<'END'
[study]
name = circle
title = t
purpose = p
legal-basis = l
ethics = e
contact = c
expires = 2099-12-31
[model]
kind = logistic
outcome = dead
[privacy]
k = 2
cohort = fixed
[column dead]
type = levels
levels = no, yes
privacy = sensitive
use = outcome
[column in]
type = date
privacy = direct-identifier
[column surgery]
type = date
privacy = direct-identifier
[column out]
type = date
privacy = direct-identifier
[column wait]
type = interval
from = in
to = surgery
range = 0..100
privacy = none
use = feature
[column recover]
type = interval
from = surgery
to = out
range = 0..100
privacy = none
use = feature
[column stay]
type = interval
from = in
to = out
range = 0..200
privacy = none
use = feature
END
refuses 'would fail: stay is a sum of other intervals' study check circle.study
sed -e '/^\[column stay/,$d' circle.study >line.study
says 'model  *logistic' study check line.study

# Of a number that is 0 or 1 the square is itself.
sed -e '/^\[column recover/,$d' -e 's/^range = 0..100$/range = 0..1/' \
    -e 's/^outcome = dead$/formula = dead ~ wait + I(wait^2)/' circle.study >square.study
refuses 'would fail: I(wait^2) is a combination of the terms before it' \
    study check square.study
sed 's/^range = 0..1$/range = 0..2/' square.study >three.study
says 'model  *logistic, 2 terms' study check three.study
! grep -q 'would fail' said || fail "three values have a square"

# Feasibility, and what its result tells the check.
says 'counts who could take part in lung' study feasibility \
    "$src/lung.study" --out f.study
says 'model  *feasibility' study check f.study
grep -q '^name = lung-feasibility$' f.study || fail "no name"
grep -q '^feasibility = yes$' f.study || fail "not for feasibility"
grep -q '^title = Who could take part in: ' f.study || fail "the same title"
sed -e '/^feasibility = /d' -e 's/-feasibility$//' \
    -e 's/^title = Who could take part in: /title = /' f.study |
    cmp - "$src/lung.study" || fail "something else was changed"
refuses 'only counts already' study feasibility f.study --out g.study
refuses 'f.study' study feasibility "$src/lung.study" --out f.study
cat >result.json <<'END'
{ "kind": "feasibility", "sites": 3, "n": 212, "eligible": 150,
  "eligible_at_most": 150, "events": 4,
  "columns": [ { "name": "wtloss", "missing": 62 },
    { "name": "age", "missing": null } ] }
END
refuses 'would fail: 4 events for 5 terms' \
    study check --feasibility result.json "$src/lung.study"
grep -q 'look at: 29% of the patients have no wtloss' said || fail "no wtloss"
grep -q 'look at: at most 150 of 212' said || fail "no eligible"
sed 's/"events": 4/"events": 120/' result.json >many.json
says 'model  *cox' study check --feasibility many.json "$src/lung.study"
sed 's/"feasibility"/"cox"/' result.json >other.json
refuses 'other.json: expected the result.json of a feasibility' \
    study check --feasibility other.json "$src/lung.study"
