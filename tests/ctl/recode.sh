#!/bin/sh
# A hierarchy's file becomes part of a study, and the levels that lose least are
# found for a table; what is no hierarchy and what cannot be recoded is refused.
set -eu

ctl="$builddir/ctl/consiliumctl"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
	echo "$0: $1" >&2
	exit 1
}

cat >"$work/land.csv" <<'END'
AT;german;*
DE;german;*
FR;"latin; south";*
"I""T";"latin; south";*
END
"$ctl" study hierarchy --name land "$work/land.csv" >"$work/land"
cat >"$work/expected" <<'END'
[column land]
type = levels
levels = "AT",
    "DE",
    "FR",
    "I""T"
privacy = quasi-identifier
level = 0

[hierarchy land]
level-1 = group "german": "AT",
    "DE";
    "latin; south": "FR",
    "I""T"
END
cmp "$work/land" "$work/expected" || fail "not the study's text"

printf 'I21.0\nI21.9\nI50\nC50.9\n' >"$work/codes"
"$ctl" study hierarchy --name diagnosis --icd10 "$work/codes" >"$work/icd"
sed -n '/^\[hier/,$p' "$work/icd" >"$work/groups"
cat >"$work/expected" <<'END'
[hierarchy diagnosis]
level-1 = group "I21": "I21.0",
    "I21.9";
    "I50": "I50";
    "C50": "C50.9"
level-2 = group "I20-I25": "I21";
    "I30-I52": "I50";
    "C50-C50": "C50"
level-3 = group "I00-I99": "I20-I25",
    "I30-I52";
    "C00-D48": "C50-C50"
END
cmp "$work/groups" "$work/expected" || fail "not ICD-10's groups"
printf 'I21.0\n21\n' >"$work/codes"
"$ctl" study hierarchy --name x --icd10 "$work/codes" 2>"$work/err" &&
    fail "took what is no code"
grep -q "codes:2:1: expected a code of ICD-10" "$work/err" ||
    fail "$(cat "$work/err")"

# LOINC's classes, from a table in the form of LOINC's own (the lines are drawn).
printf '2345-7\n718-7\n8480-6\n' >"$work/codes"
cat >"$work/Loinc.csv" <<END
"LOINC_NUM","COMPONENT","CLASS","VersionLastChanged","CLASSTYPE"
"718-7","a, quoted ""part""","HEM/BC","2.1","1"
"2345-7","b","CHEM","2.1","1"
"8480-6","c","BP.ATOM","2.1","2"
"1-8","d","","2.1","9"
END
"$ctl" study hierarchy --name test --loinc "$work/Loinc.csv" "$work/codes" \
    >"$work/loinc"
sed -n '/^level-1/,$p' "$work/loinc" >"$work/groups"
cat >"$work/expected" <<'END'
level-1 = group "laboratory CHEM": "2345-7";
    "laboratory HEM/BC": "718-7";
    "clinical BP.ATOM": "8480-6"
level-2 = group "laboratory": "laboratory CHEM",
    "laboratory HEM/BC";
    "clinical": "clinical BP.ATOM"
END
cmp "$work/groups" "$work/expected" || fail "not LOINC's classes"
echo 99-9 >>"$work/codes"
! "$ctl" study hierarchy --name test --loinc "$work/Loinc.csv" \
    "$work/codes" >"$work/out" 2>"$work/err" || fail "an unknown code was taken"
grep -q 'codes: code number 4 is not in .*Loinc.csv' "$work/err" ||
    fail "$(cat "$work/err")"
echo 99 >"$work/codes"
! "$ctl" study hierarchy --name test --loinc "$work/Loinc.csv" \
    "$work/codes" >"$work/out" 2>"$work/err" || fail "no code was taken"
grep -q 'codes:1:1: expected a code of LOINC' "$work/err" ||
    fail "$(cat "$work/err")"
sed -i 1s/CLASSTYPE/TYPE/ "$work/Loinc.csv"
echo 718-7 >"$work/codes"
! "$ctl" study hierarchy --name test --loinc "$work/Loinc.csv" \
    "$work/codes" >"$work/out" 2>"$work/err" || fail "no Loinc.csv was taken"
grep -q 'Loinc.csv:1:1: no column CLASSTYPE' "$work/err" ||
    fail "$(cat "$work/err")"
[ ! -s "$work/out" ] || fail "something was printed"

cat - "$work/land" >"$work/study" <<'END'
[study]
name = test
title = t
purpose = p
legal-basis = l
ethics = e
contact = c
expires = 2099-12-31
[model]
kind = logistic
outcome = ill
[privacy]
k = 2
suppression-limit = 0.2
cohort = fixed
[column ill]
type = levels
levels = no, yes
privacy = sensitive
use = outcome
diversity = distinct 2
[column age]
type = integer
range = 0..99
privacy = quasi-identifier
level = 0
use = feature
[hierarchy age]
level-1 = cut 0 50 99
END
cat >"$work/table.csv" <<'END'
ill,age,land
no,20,AT
yes,30,DE
no,25,AT
yes,25,DE
no,70,FR
yes,71,"I""T"
no,72,FR
yes,73,FR
yes,10,"I""T"
END
"$ctl" study recode --csv "$work/table.csv" "$work/study" >"$work/out"
grep -v '^#' "$work/out" >"$work/levels"
cat >"$work/expected" <<'END'
[column age]
level = 1
[column land]
level = 1
END
cmp "$work/levels" "$work/expected" || fail "not the best levels"
grep -q '^# best: .* 1 rows suppressed (1 may be), 2 classes of 4 to 4 rows' \
    "$work/out" || fail "not the best node's measures"
grep -q '^# before: highest risk 1.0000, average 1.0000, above 0.09: 100.00%' \
    "$work/out" || fail "not the risk"
grep -q 'which does not fit: .* 9 rows suppressed' "$work/out" ||
    fail "not the study's own measures"

# Nothing fits where an outcome would have to be recoded.
sed 's/^k = 2/k = 9/; s/^suppression-limit.*/suppression-limit = 0/' \
    "$work/study" >"$work/strict"
"$ctl" study recode --csv "$work/table.csv" "$work/strict" >/dev/null \
    2>"$work/err" && fail "a feature was recoded to the top"
grep -q '9 of 9 rows fail, 0 may; without "age", which may not go above level 1, it' "$work/err" ||
    fail "$(cat "$work/err")"

printf 'a;x;*\na;y;*\n' >"$work/bad.csv"
"$ctl" study hierarchy --name x "$work/bad.csv" 2>"$work/err" &&
    fail "a value was there twice"
grep -q 'bad.csv:2:1: this value is there twice' "$work/err" ||
    fail "$(cat "$work/err")"
