#!/bin/sh
# A consortium of real processes on bad lines, whose processes are killed and
# stopped at random, and whose lines are cut: study after study, until ROUNDS
# rounds have given a sum.  Each study must end, everywhere, with the result
# of the same study undisturbed.  SEED repeats the choices (not the timing).
# With SHORT=yes a study has two rounds and short deadlines, the lines are good,
# and what happens happens at once.  As root site a has a network of its own,
# whose only link is taken down; without, its line is cut like the others'.
set -eu

: "${ROUNDS:=50}" "${SEED:=$(date +%s)}" "${SHORT:=no}"
ctl=$builddir/ctl/consiliumctl
export CONSILIUM_LIBEXEC="$builddir/daemon:$builddir/coordinator:$builddir/board"
dir=$(mktemp -d)
x=$SEED studies=0 supervisors= net=
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
	[ -z "$net" ] || ip netns delete "$net"
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

# happened KIND: one more disturbance, which all that follows has to recover from
happened() {
	echo "$1" >>"$dir/kinds"
}

# Site a's network: a pair of interfaces, our end of which has the address $here.
here=127.0.0.1
if [ "$(id -u)" = 0 ] && command -v ip >/dev/null &&
    ip netns add "chaos$$" 2>/dev/null; then
	net=chaos$$
	veth=chaos$(($$ % 100000))
	here=10.203.$(($$ / 64 % 256)).$(($$ % 64 * 4 + 1))
	there=10.203.$(($$ / 64 % 256)).$(($$ % 64 * 4 + 2))
	ip link add "$veth" type veth peer name line netns "$net"
	ip address add "$here/30" dev "$veth"
	ip link set "$veth" up
	ip -n "$net" address add "$there/30" dev line
	ip -n "$net" link set lo up
	ip -n "$net" link set line up
fi

cd "$dir"
. "$top_srcdir/tests/chaos/lung.sh"
lines='a:0:0:0 b:1000:150:10000 c:1000:150:10000'
pause=4
if [ "$SHORT" = yes ]; then
	sed -E 's/^(ready-wait|share|upload|confirm|unmask) = .*/\1 = 3/' \
	    "$top_srcdir/tests/e2e/lung-sex.study" >short.study
	study=$dir/short.study
	lines='a:0:0:0 b:0:0:0 c:0:0:0'
	pause=1
fi
undisturbed out
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
	at=127.0.0.1
	[ "$1" != a ] || at=$here
	"$builddir/tests/chaos/link" "$port" "$2" "$3" "$4" "$SEED" "$at" \
	    >"$1.port" &
	echo $! >"$1.link"
	[ "$2" = 0 ] || happened 'slow line'
done
for s in a b c; do
	until [ -s $s.port ]; do sleep 0.1; done
	at=127.0.0.1
	[ $s != a ] || at=$here
	sed -i "s/^address = .*/address = $at:$(cat $s.port)/" \
	    out/sites/$s/consiliumd.conf
	set -- "$builddir/daemon/consiliumd" -f out/sites/$s/consiliumd.conf
	# (the certificate names the loopback)
	if [ $s = a ] && [ -n "$net" ]; then
		sed -i '/^address = /a server-name = 127.0.0.1' \
		    out/sites/$s/consiliumd.conf
		set -- ip netns exec "$net" "$@"
	fi
	supervise $s "$@"
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

# name_of PID: which process of a family, in $process
name_of() {
	process=$(ps -o comm= -p "$1" 2>/dev/null) || process=nobody
	case $process in
	consilium*) process=parent ;;
	esac
}

rest() {
	below $pause
	sleep $((r + 1))
}

partition() { # SITE
	if [ "$1" = a ] && [ -n "$net" ]; then
		ip link set "$veth" down && happened 'network down'
		rest
		ip link set "$veth" up
		return
	fi
	kill -USR1 "$(cat "$1.link")" && happened 'line cut'
	rest
	kill -USR2 "$(cat "$1.link")"
}

# Who is there only for a moment has to be waited for.
hunt_trainer() { # PARENT
	for i in $(seq 500); do
		children=$(cat "/proc/$1/task/$1/children") || return 0
		for victim in $children; do
			read -r comm <"/proc/$victim/comm" || comm=
			[ "$comm" != trainer ] || break 2
		done 2>/dev/null
		victim=
		sleep 0.01
	done
	[ -n "$victim" ] && kill -KILL "$victim" 2>/dev/null &&
	    happened 'killed trainer'
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
	name_of "$1"
	below 12
	case $r in
	0 | 1 | 2 | 3)
		kill -KILL "$1" 2>/dev/null && happened "killed $process"
		;;
	4 | 5 | 6)
		kill -STOP "$1" 2>/dev/null && happened "stopped $process"
		rest
		kill -CONT "$1" 2>/dev/null
		;;
	7 | 8)
		[ "$who" = coordinator ] || hunt_trainer "$pid"
		;;
	*)
		[ "$who" = coordinator ] && who=b
		partition "$who"
		;;
	esac
	rest
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
    "$aborts aborted; recovered from" \
    "$(sort kinds 2>/dev/null | uniq -c |
	awk '{ n = $1; $1 = ""; printf("%s%s %d", sep, $0, n); sep = "," }');" \
    "wrong sums $wrong, lost models $lost"
[ $((wrong + lost)) -eq 0 ]
