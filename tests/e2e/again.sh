#!/bin/sh
# A hospital prepares a study again: patients with several visits, a pseudonym,
# shifted dates.  The same rows give the same table, to the bit, by the site's own
# key; new rows are recoded by the signed study, and k is counted over old and new
# ones; the second report says what changed; what cannot be is refused, and leaves
# the last table and report as they were.
. "$top_srcdir/tests/e2e/lib.sh"

ctl=$builddir/ctl/consiliumctl
head_of visits 20 >visits.study
cat >>visits.study <<'END'
[model]
kind = logistic
outcome = back

[privacy]
k = 5
suppression-limit = 0.1
cohort = fixed
patient = mrn
pseudonym = yes
date-shift = 60

[column mrn]
type = text
privacy = direct-identifier

[column age]
type = integer
range = 0..99
privacy = quasi-identifier
level = 1
use = feature

[hierarchy age]
level-1 = cut 0 50 99

[column seen]
type = date
range = 2015-01-01..2019-12-31
privacy = quasi-identifier
level = 1
use = feature

[hierarchy seen]
level-1 = year

[column left]
type = date
privacy = quasi-identifier

[column stay]
type = interval
from = seen
to = left
range = 0..60
privacy = sensitive
use = feature

[column back]
type = levels
levels = no, yes
privacy = sensitive
use = outcome
END
"$ctl" study check visits.study >said
grep -q 'at most 0.1 of the patients suppressed' said || fail "of what?"
grep -q '^rows of a patient *mrn, linked' said || fail "which rows are one's?"
grep -q '^dates *shifted, .* at most 60 days' said || fail "what of dates?"
awk 'BEGIN {
	srand(11)
	print "mrn,age,seen,left,back"
	for (p = 0; p < 360; p++) {
		age = 20 + int(70 * rand())
		for (v = 0; v <= p % 2; v++) {
			day = 1 + int(20 * rand())
			printf "M%03d,%d,201%d-0%d-%02d,201%d-0%d-%02d,%s\n", p, \
			    age, 5 + v, 4 + p % 6, day, 5 + v, 4 + p % 6, \
			    day + int(8 * rand()), \
			    rand() < 0.3 + age / 300 ? "yes" : "no"
		}
	}
}' >visits.csv
deal visits.csv 'int(substr($1, 2))'
start visits.study

socket=out/run/site-a.sock
key=$(sed -n '/^\[site a\]/,/^\[/s/^key = //p' out/root/members)
source=site-a.csv
on() {
	command=$1
	shift
	"$ctl" "$command" --socket "$socket" "$@"
}
officer() {
	on "$1" again --key out/officer/officer.key \
	    --passphrase-file out/officer/passphrase
}
# look FOLDER: the report, which must be the site's own
look() {
	mkdir "$1"
	on report again --out "$1" >/dev/null
	"$ctl" report verify --public-key "$key" "$1" >/dev/null ||
	    fail "$1: not the site's report"
}
# number FILE OBJECT KEY
number() {
	awk -v object="\"$2\": {" -v key="\"$3\":" '
	    index($0, object) { on = 1 }
	    on && $1 == key { sub(",", "", $2); print $2; exit }' "$1"
}
# change WHAT: its two numbers
change() {
	awk -v what="\"$1\"" '
	    $1 == "\"what\":" { on = index($2, what) }
	    on && $1 == "\"last\":" { last = $2 }
	    on && $1 == "\"now\":" { print last $2; exit }' second/report.json
}

sed 's/^name = visits/name = again/' visits.study >again.study
"$ctl" study sign --root out/root again.study --sites a,b,c \
    --out again.signed >/dev/null
"$ctl" submit --socket out/run/coordinator.sock again.signed >/dev/null
until on status 2>/dev/null | grep -q '^again *received'; do sleep 0.1; done

on prepare again >/dev/null
look first
! grep -q 'What changed since' first/report.html || fail "changed since when?"
[ "$(number first/report.json patients complete)" = 120 ] || fail "patients"
officer approve >/dev/null
! on prepare again >said 2>&1 || fail "an approved table was replaced"
officer revoke >/dev/null

# Nothing is new: the same table, whatever the order of the rows.
cp "$source" was.csv
{ head -n 1 was.csv; tail -n +2 was.csv | sort -r; } >"$source"
on prepare again >/dev/null
look same
grep -q '"same_table": true' same/report.json || fail "another table"
grep -q '"same_study": true' same/report.json || fail "another study"
[ "$(grep '"table_digest"' same/report.json)" = \
    "$(grep '"table_digest"' first/report.json)" ] || fail "another digest"

# 30 new patients, one of them alone with visits that nobody else has.
awk 'BEGIN {
	for (p = 0; p < 29; p++)
		printf "N%d,%d,2015-06-%02d,2015-06-%02d,%s\n", p, \
		    30 + p, 1 + p % 20, 2 + p % 20, p % 2 ? "yes" : "no"
	print "N29,95,2017-06-01,2017-06-02,no"
	print "N29,95,2018-06-01,2018-06-02,no"
	print "N29,95,2019-06-01,2019-06-02,no"
}' >>"$source"
on prepare again >/dev/null
look second
[ "$(number second/report.json patients complete)" = 150 ] || fail "patients"
[ "$(number second/report.json patients suppressed)" = \
    $(($(number first/report.json patients suppressed) + 1)) ] ||
    fail "who is alone is not suppressed"
grep -q '"same_table": false' second/report.json || fail "the same table"
[ "$(change read)" = "180,212" ] || fail "rows read: $(change read)"
made=$(sed -n 's/^  "made": "\(.*\)",/\1/p' same/report.json)
time=$(echo "$made" | cut -c 12-16)
grep -q "The last report was made on .* at $time UTC" second/report.html ||
    fail "no word of the report of $made"
grep -q 'What changed since the last report' second/report.html ||
    fail "no section on changes"
grep -q 'new and old ones together' second/report.html || fail "what was done"
officer approve >/dev/null
officer revoke >/dev/null

# 20 patients who are alone are too many: refused, with nothing lost.
cp "$source" more.csv
awk 'BEGIN {
	for (p = 0; p < 20; p++)
		for (v = 0; v < 3 + p; v++)
			printf "L%d,90,2015-06-01,2015-06-02,no\n", p
}' >>"$source"
! on prepare again >said 2>&1 || fail "too many were suppressed"
grep -q 'patients share all of their rows with fewer than 5' said ||
    fail "refused for another reason: $(cat said)"
! grep -q 'L1[0-9]' said out/sites/a/log || fail "a patient is named"
cp more.csv "$source"
on prepare again >/dev/null
look third
grep -q '"same_table": true' third/report.json ||
    fail "not compared with the last table that there was"
cp was.csv "$source"
stop
# What was shifted and linked was learned from all the same.
grep '^max |federated - pooled| / se = ' run.txt || fail "no comparison"
echo "again: a table is prepared again, and its report says what changed"
cd ..
rm -rf "$dir"
