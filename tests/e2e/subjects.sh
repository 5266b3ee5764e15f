#!/bin/sh
# Whose rows: a patient is in a study's table, refuses, and is in no table that
# is prepared from then on; both is shown afterwards by the audit log, as the
# manual's examples have it, and by nothing that names a patient.
. "$top_srcdir/tests/e2e/lib.sh"

export CONSILIUM_LIBEXEC="$builddir/daemon:$builddir/coordinator:$builddir/board"
PATH=$builddir/ctl:$PATH

# Each row has a record number that only its hospital knows.
awk -F, -v OFS=, 'NR == 1 { print "record", $0; next } { print "RECORD-" NR, $0 }' \
    "$vectors/lung.csv" >records.csv
deal records.csv NR
cat - "$src/lung-sex.study" >first.study <<'EOF'
[column record]
type = text
privacy = direct-identifier

EOF
sed -i -E 's/^(ready-wait|share|upload|confirm|unmask) = .*/\1 = 300/' first.study
three_sites first.study >/dev/null

# Site a names its patients, and keeps a list of who refused: nobody yet.
: >refused
conf=out/sites/a/consiliumd.conf
sed -i "s|^csv = .*|&\npatient = record\nobjections = $PWD/refused|" $conf

pids=
trap 'kill $pids 2>/dev/null || :' EXIT
start_daemon() { # NAME PROGRAM CONFIGURATION
	"$2" -f "$3" 2>>"$1.log" &
	pids="$pids $!"
	await "$1" grep -q 'notice: ready' "$1.log"
}

# await WHO COMMAND ...: until it succeeds, for two minutes
await() {
	who=$1
	shift
	for i in $(seq 1200); do
		"$@" >await.out 2>&1 && return 0
		sleep 0.1
	done
	cat await.out *.log
	fail "$who: in vain: $*"
}

is() { # SITE STUDY STATUS
	consiliumctl status --socket "out/run/site-$1.sock" |
	    awk -v s="$2" -v w="$3" \
		'$1 == s && $2 == w { found = 1 } END { exit !found }'
}

start_daemon coordinator "$builddir/coordinator/consilium-coordinator" \
    out/coordinator/consilium-coordinator.conf
port=$(sed -n 's/.*listening on .*:\([0-9]*\).*/\1/p' coordinator.log)
for s in a b c; do
	sed -i "s/^address = .*/address = 127.0.0.1:$port/" \
	    out/sites/$s/consiliumd.conf
	start_daemon $s "$builddir/daemon/consiliumd" \
	    out/sites/$s/consiliumd.conf
done

study() { # NAME: from its signature to its result
	sed "s/^name = lung-sex/name = $1/" first.study >"$1.study"
	consiliumctl study sign --root out/root "$1.study" --sites a,b,c \
	    --out "$1.signed" >/dev/null
	consiliumctl submit --socket out/run/coordinator.sock "$1.signed" \
	    >/dev/null
	for s in a b c; do
		await $s is $s "$1" received
		consiliumctl prepare --socket out/run/site-$s.sock "$1" \
		    >/dev/null
		consiliumctl approve --socket out/run/site-$s.sock "$1" \
		    --key out/officer/officer.key \
		    --passphrase-file out/officer/passphrase >/dev/null
	done
	for s in a b c; do
		await $s is $s "$1" done
	done
}

patient=$(sed -n '2s/,.*//p' site-a.csv)
study before
echo "$patient" >refused
study after

# The manual's examples, of this site.
keys=$PWD/out/sites/a/keys state=$PWD/out/sites/a/state
example() { # the n-th block of the manual's EXAMPLES
	awk -v n="$1" '
	    /^\.Sh EXAMPLES/ { inside = 1 }
	    inside && /^\.Bd/ { block++; next }
	    /^\.Ed/ { if (block == n) exit; next }
	    block == n' "$top_srcdir/man/consiliumctl.1" |
	    sed -e 's/\\e$/\\/' -e "s|/etc/consilium/keys|$keys|g" \
		-e "s|/var/lib/consilium|$state|g" -e "s!refused.txt!$PWD/refused!" \
		-e "s/LU-2/$patient/"
}
example 4 >evidence.sh
[ "$(grep -c 'consiliumctl audit' evidence.sh)" = 6 ] ||
    fail "the manual's examples of audit are others"
await a test -s $state/db/checkpoint
sh -e evidence.sh >evidence.txt 2>&1 || {
	cat evidence.txt
	fail "the manual's examples"
}
cat evidence.txt
lines=$(wc -l <$state/audit.log)
grep -q "audit.log: $lines lines, all as they were written" evidence.txt ||
    fail "audit verify"
[ "$(grep -cE '^[0-9]+ .*Z upload study=' evidence.txt)" = \
    "$(grep -cE ' upload ' $state/audit.log)" ] || fail "audit show"
[ "$(grep -c '"seq": ' evidence.txt)" = "$lines" ] || fail "audit export"

# The patient was in the first of them: so many uploads were computed with her.
consiliumctl audit of --public-key $keys/identity.pub --dir $keys \
    --state $state "$patient" >of.txt
uploads=$(grep -c ' upload study=before ' $state/audit.log)
[ "$uploads" -gt 0 ]
awk -v n="$uploads" 'NR == 2 { ok = $1 == "before" && $4 == "stands" && $5 == n }
    END { exit !(ok && NR == 2) }' of.txt || fail "audit of: $(cat of.txt)"

# The list was empty for the first, and was this one for the second.
consiliumctl audit objections --public-key $keys/identity.pub --dir $keys \
    --state $state refused >objections.txt
awk '$1 == "before" { before = $3 " " $4 " " $5 " " $6 }
    $1 == "after" { after = $3 " " $4 " " $5 " " $6 }
    END { exit !(before == "another 0 0 1" && after == "this 1 1 0") }' \
    objections.txt || fail "audit objections: $(cat objections.txt)"
rows() { # STUDY: that site a has prepared, suppressed ones with them
	sed -n "s/.* prepared study=$1 .* rows=\([0-9]*\) .*/\1/p" \
	    $state/audit.log
}
[ "$(rows before)" = $(($(rows after) + 1)) ] || fail "not one row less"

# Nobody is named, in clear, by what is kept.
if grep -rl 'RECORD-' $state ./*.log; then
	fail "a patient is named"
fi
kill $pids
wait
trap - EXIT
echo "in 1 of 2 tables; the list was this one, 1 row left out, 0 of it in the table"
cd ..
rm -rf "$dir"
