#!/bin/sh
# A consortium of real processes on bad lines, whose processes are killed and
# stopped at random, and whose lines are cut: study after study, until ROUNDS
# rounds have given a sum.  Each study must end, everywhere, with the result
# of the same study undisturbed.  SEED repeats the choices (not the timing).
# With SHORT=yes a study has two rounds and short deadlines, the lines are good,
# and what happens happens at once.
set -eu

: "${ROUNDS:=50}" "${SEED:=$(date +%s)}" "${SHORT:=no}"
ctl=$builddir/ctl/consiliumctl
export CONSILIUM_LIBEXEC="$builddir/daemon:$builddir/coordinator:$builddir/board"
dir=$(mktemp -d)
x=$SEED kills=0 stops=0 cuts=0 studies=0 supervisors=
make -s -C "$builddir" tests/chaos/link

finish() {
	rc=$?
	set +e
	touch "$dir/ends"
	for f in "$dir"/*.pid "$dir"/*.link; do
		kill "$(cat "$f")" 2>/dev/null
	done
	for s in $supervisors; do
		wait "$s"
	done
	if [ $rc -eq 0 ]; then
		rm -rf "$dir"
	else
		echo "seed $SEED; logs are in $dir"
	fi
}
trap finish EXIT
trap 'exit 1' INT TERM

# below N: a number from 0, in $r
below() {
	x=$(((x * 1103515245 + 12345) & 2147483647))
	r=$(((x >> 8) % $1))
}

# supervise NAME COMMAND ...: what an init system does
supervise() {
	name=$1
	shift
	(
		trap '' INT
		while [ ! -e "$dir/ends" ]; do
			"$@" >>"$dir/$name.log" 2>&1 &
			echo $! >"$dir/$name.pid"
			wait $! || :
			sleep 0.3
		done
	) &
	supervisors="$supervisors $!"
}

cd "$dir"
for i in 0 1 2; do
	awk -F, -v i=$i 'NR == 1 || NR % 3 == i' \
	    "$top_srcdir/tests/vectors/pooled/lung.csv" >"$i.csv"
done
study=$top_srcdir/tests/e2e/lung.study
lines='a:0:0:0 b:1000:150:10000 c:1000:150:10000'
pause=4
if [ "$SHORT" = yes ]; then
	sed -E 's/^(ready-wait|share|upload|confirm|unmask) = .*/\1 = 3/' \
	    "$top_srcdir/tests/e2e/lung-sex.study" >short.study
	study=$dir/short.study
	lines='a:0:0:0 b:0:0:0 c:0:0:0'
	pause=1
fi
"$builddir/ctl/consilium-local" --study "$study" --site a=0.csv \
    --site b=1.csv --site c=2.csv --out out >local.txt 2>&1 || {
	cat local.txt
	exit 1
}
# A result without what differs between equal studies: name, time, and the
# numbers of the rounds, as some were aborted and tried again.
plain() {
	grep -vE '"(study|study_digest|time|finished|round)":' "$1" |
	    sed 's/lung[0-9]*\(-sex\)*/lung/g'
}
plain out/result.json >want

# A port that is free now: the daemons keep it over their restarts.
"$builddir/tests/chaos/link" 1 0 0 0 1 >coordinator.port &
probe=$!
until [ -s coordinator.port ]; do sleep 0.1; done
kill $probe
port=$(cat coordinator.port)
sed -i "s/^listen = .*/listen = 127.0.0.1:$port/" \
    out/coordinator/consilium-coordinator.conf
supervise coordinator "$builddir/coordinator/consilium-coordinator" \
    -f out/coordinator/consilium-coordinator.conf
# b's line is that of a small hospital, c's a bad one.
for line in $lines; do
	set -- $(echo "$line" | tr : ' ')
	"$builddir/tests/chaos/link" "$port" "$2" "$3" "$4" "$SEED" >"$1.port" &
	echo $! >"$1.link"
done
for s in a b c; do
	until [ -s $s.port ]; do sleep 0.1; done
	sed -i "s/^address = .*/address = 127.0.0.1:$(cat $s.port)/" \
	    out/sites/$s/consiliumd.conf
	supervise $s "$builddir/daemon/consiliumd" \
	    -f out/sites/$s/consiliumd.conf
done

# try COMMAND ...: a daemon may just be away
try() {
	for i in $(seq 200); do
		"$@" >try.out 2>&1 && return 0
		sleep 0.3
	done
	cat try.out
	echo "in vain: $*"
	exit 1
}

status() { # SOCKET STUDY: in $st
	st=$("$ctl" status --socket "$1" 2>/dev/null |
	    awk -v s="$2" '$1 == s { print $2 }') || st=
}

socket_of() { # in $socket
	socket=out/run/site-$1.sock
	[ "$1" != coordinator ] || socket=out/run/coordinator.sock
}

sums() {
	n=$(grep -c ' sum study=lung[0-9]' out/coordinator/state/audit.log) || :
}

disturb() {
	below 4
	set -- coordinator a b c
	shift "$r"
	who=$1
	pid=$(cat "$who.pid")
	# One of the family, or the parent itself.
	family="$pid $(pgrep -P "$pid" | tr '\n' ' ')"
	set -- $family
	below $#
	shift "$r"
	below 10
	case $r in
	0 | 1 | 2 | 3)
		kill -KILL "$1" 2>/dev/null && kills=$((kills + 1))
		;;
	4 | 5 | 6)
		kill -STOP "$1" 2>/dev/null && stops=$((stops + 1))
		below $pause
		sleep $((r + 1))
		kill -CONT "$1" 2>/dev/null
		;;
	*)
		[ "$who" = coordinator ] && who=b
		kill -USR1 "$(cat "$who.link")" && cuts=$((cuts + 1))
		below $pause
		sleep $((r + 1))
		kill -USR2 "$(cat "$who.link")"
		;;
	esac
	below $pause
	sleep $((r + 1))
}

n=0
while [ "$n" -lt "$ROUNDS" ]; do
	studies=$((studies + 1))
	name=lung$studies
	sed "s/^name = .*/name = $name/" "$study" >$name.study
	"$ctl" study sign --root out/root $name.study --sites a,b,c \
	    --out $name.signed >/dev/null
	try "$ctl" submit --socket out/run/coordinator.sock $name.signed
	for s in a b c; do
		socket_of $s
		for i in $(seq 200); do
			status $socket $name
			[ "$st" = received ] && break
			sleep 0.3
		done
		try "$ctl" prepare --socket $socket $name
		try "$ctl" approve --socket $socket $name --key \
		    out/officer/officer.key --passphrase-file \
		    out/officer/passphrase
	done
	t=0
	while :; do
		all=done
		for who in coordinator a b c; do
			socket_of $who
			status $socket $name
			[ "$st" = done ] || all=
		done
		[ "$all" = done ] && break
		disturb || :
		t=$((t + 1))
		[ $t -lt 300 ] || {
			echo "$name does not end"
			exit 1
		}
	done
	sums
done

wrong=0 lost=0
for i in $(seq $studies); do
	for who in coordinator a b c; do
		rm -rf got && mkdir got
		socket_of $who
		try "$ctl" result --socket $socket lung$i --out got
		[ -s got/result.json ] || lost=$((lost + 1))
		plain got/result.json | cmp -s - want || wrong=$((wrong + 1))
	done
done
aborts=$(grep -c ' abort ' out/coordinator/state/audit.log) || :
echo "chaos: seed $SEED: $n rounds with a sum in $studies studies," \
    "$aborts aborted; killed $kills, stopped $stops, lines cut $cuts;" \
    "wrong sums $wrong, lost models $lost"
[ $((wrong + lost)) -eq 0 ]
