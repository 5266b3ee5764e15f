#!/bin/sh
# What consiliumctl and consilium-local refuse, in words, without leaving
# anything; and the skeletons of all kinds of studies.
set -eu

ctl=$builddir/ctl/consiliumctl
local=$builddir/ctl/consilium-local
study=$top_srcdir/examples/breast-cancer/rfs.study
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

fail() {
	echo "refusals: $*" | cut -c 1-600 >&2
	exit 1
}

# refuse STATUS ERROR-HAS COMMAND...: status 1 says why in one line.
refuse() {
	status=$1 want=$2
	shift 2
	got=0
	"$@" >out 2>err </dev/null || got=$?
	[ "$got" = "$status" ] || fail "$*: status $got, expected $status"
	grep -q -e "$want" err || fail "$*: \"$want\" not in: $(cat err)"
	[ "$status" = 2 ] || [ "$(wc -l <err)" = 1 ] ||
	    fail "$*: more than one line: $(cat err)"
}

# run OUTPUT-HAS COMMAND...
run() {
	want=$1
	shift
	"$@" >out 2>err </dev/null || fail "$*: status $?: $(cat err)"
	grep -q -e "$want" out || fail "$*: \"$want\" not in: $(cat out)"
}

echo "options"
refuse 2 'expected DIR' "$ctl" root init --dir= --consortium x
refuse 2 'expected DIR' "$ctl" root init --dir '' --consortium x
refuse 2 'no option of' "$ctl" transcript --chain=yes --socket s --out o x
refuse 2 'no option of' "$ctl" transcript --cha --socket s --out o x
refuse 2 'is there twice' \
    "$ctl" transcript --chain --chain --socket s --out o x
refuse 2 'one word too many' "$ctl" study check a b
refuse 2 'usage' "$ctl"
run 'usage' "$ctl" --help
echo 'a file' >t
long=$(printf '%05000d' 0)
refuse 1 'name too long' "$ctl" officer init --key "$long"
refuse 1 '^consiliumctl: 0000' "$ctl" site init --dir "$long" --name a
refuse 1 'expected at most' \
    "$ctl" coordinator init --dir h --name h --host "$long"
refuse 1 '^consiliumctl: .*t/x' "$ctl" site init --dir t/x --name a
echo a >a.csv
for n in x 1x ' 1' -1 0 100001 99999999999999999999999; do
	refuse 1 'k: expected a whole number from 1 to 100000' \
	    "$ctl" study init a.csv --out o --k="$n"
done
if [ -w /dev/full ] && "$ctl" help >/dev/full 2>err; then
	fail "what could not be printed was printed"
fi

echo "audit logs"
key=$(printf '%064d' 0 | sed 's/^../58/; s/00/66/g')
: >log
refuse 1 'expected COUNT:HASH' \
    "$ctl" audit verify --public-key "$key" --expect 0:zz log
refuse 1 '--expect: expected a whole number' \
    "$ctl" audit verify --public-key "$key" --expect :00 log
refuse 1 'expected --coordinator-key with it' \
    "$ctl" audit verify --public-key "$key" --checkpoint log log
refuse 1 'expected --coordinator-key with it' \
    "$ctl" audit verify --public-key "$key" --checkpoint log \
    --coordinator-key "$key" --expect 0 log
refuse 1 'checkpoint: No such file' \
    "$ctl" audit verify --public-key "$key" --checkpoint checkpoint \
    --coordinator-key "$key" log
refuse 1 'nokey: No such file' \
    "$ctl" audit verify --public-key "$key" --checkpoint log \
    --coordinator-key nokey log
echo 'no checkpoint' >checkpoint
refuse 1 '^consiliumctl: checkpoint: ' \
    "$ctl" audit verify --public-key "$key" --checkpoint checkpoint \
    --coordinator-key "$key" log
refuse 1 'nothing: No such file' \
    "$ctl" audit show --public-key "$key" nothing
refuse 1 'log: ' "$ctl" audit replay --root-key "$key" log
refuse 1 'nothing: No such file' \
    "$ctl" audit replay --root-key "$key" nothing

echo "skeletons"
awk 'BEGIN {
	print "id,born,quote,empty,days,dead,mark,note"
	for (i = 0; i < 150; i++)
		print i "," 1950 + i % 9 "-02-0" 1 + i % 9 "," \
		    (i % 2 ? "c" : "\"a \"\"b\"\"\"") "," \
		    (i % 2 ? "" : "NA") "," i / 8 "," i % 2 "," (i ? "x" : "") \
		    ",\"" i "\na\""
}' >t.csv
for kind in cox km logistic glm summary; do
	case $kind in
	cox | km) wish="--time days --event dead" ;;
	glm) wish="--outcome days" ;;
	logistic) wish="--outcome dead" ;;
	summary) wish= ;;
	esac
	run '8 columns' "$ctl" study init t.csv --out $kind.study --kind $kind \
	    --name s $wish
	grep -q "^kind = $kind\$" $kind.study || fail "$kind: no kind"
done
grep -q '^family = gaussian$' glm.study || fail "glm: no family"
grep -q '^outcome = dead$' logistic.study || fail "logistic: no outcome"
! grep -q '^time = ' summary.study || fail "summary: a time"
grep -q '^# groups = ' km.study || fail "km: no groups"
grep -q '^levels = "a ""b""", "c"$' cox.study || fail "quotes are not doubled"
grep -A 2 '^\[column empty\]' cox.study | grep -q '^# empty in all rows' ||
    fail "empty is not said to be"
grep -A 2 '^\[column born\]' cox.study | grep -q '^format = ' ||
    fail "born is no date"
refuse 1 'o.study' "$ctl" study init t.csv --out no/o.study
refuse 1 'is not overwritten' "$ctl" study init t.csv --out cox.study
: >none.csv
refuse 1 '0 columns, expected 1 to' "$ctl" study init none.csv --out o
echo 'a,,b' >head.csv
refuse 1 "head.csv:1:3: expected a column's name" \
    "$ctl" study init head.csv --out o
echo 'a,[b],c' >head.csv
refuse 1 "head.csv:1:3: expected a column's name" \
    "$ctl" study init head.csv --out o
printf 'a,b\n1,"2\n' >open.csv
refuse 1 'open.csv:2:' "$ctl" study init open.csv --out o
[ ! -e o ] || fail "something was written"
for opt in time event; do
	refuse 1 "--$opt: t.csv has no column" \
	    "$ctl" study init t.csv --out o --$opt nobody
done
refuse 1 '--outcome: t.csv has no column' \
    "$ctl" study init t.csv --out o --kind glm --outcome nobody

echo "checks of studies"
refuse 1 '--rows: expected at most' "$ctl" study check --rows "$long" "$study"
refuse 1 '--rows: expected at most' "$ctl" study check \
    --rows "$(seq -s, 1 5000)" "$study"
refuse 1 'rows: expected a whole number' \
    "$ctl" study check --rows 900,x "$study"
refuse 1 'nothing: No such file' \
    "$ctl" study check --feasibility nothing "$study"
echo '{' >bad.json
refuse 1 'bad.json: byte' "$ctl" study check --feasibility bad.json "$study"
echo '[]' >bad.json
refuse 1 'expected the result.json of a feas' \
    "$ctl" study check --feasibility bad.json "$study"

run 'linked by a pseudonym' "$ctl" study check "$top_srcdir/tests/e2e/cgd.study"

echo "hierarchies"
refuse 1 'expected one of them' \
    "$ctl" study hierarchy --name x --icd10 --loinc t.csv t.csv
refuse 1 'nothing: No such file' "$ctl" study hierarchy --name x nothing
refuse 1 'nothing: No such file' \
    "$ctl" study hierarchy --name x --loinc nothing t.csv
echo 'a;*' >one.csv
refuse 1 "one.csv: 1 values, a study's column has 2 to" \
    "$ctl" study hierarchy --name x one.csv
printf 'a;;*\nb;c;*\n' >void.csv
refuse 1 'void.csv:\( a value or group\|1:\)' \
    "$ctl" study hierarchy --name x void.csv
printf 'a;1;2;3;4;5;6;7;8;9;10;11;*\nb;1;2;3;4;5;6;7;8;9;10;11;*\n' >deep.csv
refuse 1 'deep.csv: ' "$ctl" study hierarchy --name x deep.csv
printf 'I21.0,x\n' >codes
refuse 1 'codes:1:1: expected a code of ICD-10' \
    "$ctl" study hierarchy --name x --icd10 codes

echo "recoding"
for words in "" "--csv t.csv --out o" "--result r" "--counts c" \
    "--out o --counts c"; do
	refuse 1 'expected --csv CSV' "$ctl" study recode $words "$study"
done
refuse 1 'nothing: No such file' \
    "$ctl" study recode --csv nothing "$study"
refuse 1 'nothing: No such file' \
    "$ctl" study recode --csv t.csv nothing
refuse 1 't.csv:1:' "$ctl" study recode --csv t.csv "$study"
refuse 1 'nothing: No such file' \
    "$ctl" study recode --out o --result nothing "$study"
for text in '{' '[]' '{ "items": 1 }' '{ "items": [], "study": "other" }' \
    '{ "items": [ -1 ], "study": "rfs-recoding" }'; do
	echo "$text" >sums.json
	refuse 1 'sums.json: ' \
	    "$ctl" study recode --out o --result sums.json "$study"
done
echo '{ "items": [ 1 ], "study": "rfs-recoding" }' >sums.json
refuse 1 . "$ctl" study recode --out o --result sums.json "$study"
[ ! -e o ] || fail "something was written"

echo "a consortium on this machine"
refuse 2 'usage' "$local"
run 'usage' "$local" --help
run 'consilium-local [0-9]' "$local" --version
site="--site a=t.csv --site b=t.csv --site c=t.csv"
refuse 2 'usage' "$local" --nonsense
refuse 2 'usage' "$local" --study "$study" --out o
refuse 2 'usage' "$local" --study "$study" --out o $site more
refuse 2 'expected NAME=PATH' "$local" --site a
refuse 2 'expected NAME=PATH' "$local" --site =t.csv
refuse 2 'a name is 1 to 32' "$local" --site A=t.csv
refuse 2 'a name is 1 to 32' "$local" --site "$(printf '%033d' 0)=t.csv"
refuse 2 'there twice' "$local" --site a=t.csv --site a=t.csv
refuse 2 'nothing: No such file' "$local" --site a=nothing
many=
for i in $(seq 129); do
	many="$many --site s$i=t.csv"
done
refuse 2 'more than 128 sites' "$local" $many
refuse 2 'nothing: No such file' "$local" --study nothing --out o $site
refuse 2 'number of sites 1, a study needs' \
    "$local" --study "$study" --out o --site a=t.csv
sed 's/^\[study\]/[study]\nsites = a, b, d/' "$study" >three.study
refuse 2 'the study names site d: --site d=PATH is missing' \
    "$local" --study three.study --out o $site
sed 's/^\[study\]/[study]\nsites = a, b, c/' "$study" >three.study
refuse 2 '4 sites, but the study names 3' \
    "$local" --study three.study --out o $site --site d=t.csv
refuse 2 'expected SITE@PHASE' \
    "$local" --study "$study" --out o $site --kill a
for round in 0 x 1x; do
	refuse 2 'expected 1 or more' "$local" --study "$study" --out o \
	    $site --kill a@upload:$round
done
refuse 2 'there is no site "z"' \
    "$local" --study "$study" --out o $site --kill z@upload
refuse 2 'phase "lunch", expected ready' \
    "$local" --study "$study" --out o $site --kill a@lunch
[ ! -e o ] || fail "something was made"
mkdir full && : >full/file
refuse 2 'the folder is not empty' \
    "$local" --study "$study" --out full $site
refuse 2 't.csv' "$local" --study "$study" --out t.csv $site
exit 0
