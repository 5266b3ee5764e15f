#!/bin/sh
# Every door is flooded at once: thousands of connections, half a handshake, a
# byte a second, more than may be said, a member that calls as fast as it can.
# Meanwhile the other sites' studies go on, to the result of the same study
# undisturbed, and each door serves who comes.  STUDIES is how many.
set -eu

: "${STUDIES:=1}"
ctl=$builddir/ctl/consiliumctl
flood=$builddir/tests/flood/flood
export CONSILIUM_LIBEXEC="$builddir/daemon:$builddir/coordinator:$builddir/board"
dir=$(mktemp -d)
pids=

finish() {
	rc=$?
	set +e
	kill $pids 2>/dev/null
	wait
	if [ $rc -eq 0 ]; then
		rm -rf "$dir"
	else
		tail -n 20 "$dir"/*.log
		echo "logs are in $dir"
	fi
	exit $rc
}
trap finish EXIT
trap 'exit 1' INT TERM

cd "$dir"
. "$top_srcdir/tests/chaos/lung.sh"
undisturbed want
# Site d has the same records as c, and is the member that floods.
undisturbed out --site d=2.csv
plain want/result.json >want.plain

start() { # NAME PROGRAM CONFIGURATION
	"$2" -f "$3" >>"$1.log" 2>&1 &
	pids="$pids $!"
	for i in $(seq 600); do
		! grep -q 'notice: ready' "$1.log" || return 0
		sleep 0.1
	done
	echo "$1 does not start"
	exit 1
}

# open_to_nobody CONFIGURATION: a board, and user nobody for an operator
open_to_nobody() {
	printf '\n[board]\nlisten = 127.0.0.1:0\n' >>"$1"
	[ "$(id -u)" != 0 ] || sed -i \
	    's/^socket = .*/&\noperator-group = nogroup\nofficer-group = root/' \
	    "$1"
}
chmod 711 . out out/run
conf=out/coordinator/consilium-coordinator.conf
open_to_nobody $conf
sed -i '/^officer-group/d' $conf
start coordinator "$builddir/coordinator/consilium-coordinator" $conf
port=$(sed -n 's/.*listening on .*:\([0-9]*\).*/\1/p' coordinator.log)
for s in a b c; do
	conf=out/sites/$s/consiliumd.conf
	sed -i "s/^address = .*/address = 127.0.0.1:$port/" $conf
	[ $s != a ] || open_to_nobody $conf
	start $s "$builddir/daemon/consiliumd" $conf
done
page_of() {
	sed -n 's|.*page at http://127.0.0.1:\([0-9]*\)/.*|\1|p' "$1.log"
}
pages="$(page_of coordinator) $(page_of a)"

pour() {
	nice -n 19 "$flood" "$@" >>flood.log 2>&1 &
	pids="$pids $!"
}
pour half 1 "$port"
pour half 20 "$port"
pour slow "$port" 'PRI * HTTP/2.0'
pour large "$port"
pour calls "$port" out/sites/d/keys
for page in $pages; do
	pour half 1 "$page"
	pour slow "$page" 'GET / HTTP/1.1 '
	pour large "$page"
done
if [ "$(id -u)" = 0 ]; then
	for socket in out/run/coordinator.sock out/run/site-a.sock; do
		pour ask "$dir/$socket"
		pour slow "$dir/$socket" ''
		pour large "$dir/$socket"
	done
else
	echo "not root: the control sockets are not flooded"
fi

# try COMMAND ...: until it succeeds, for a minute
try() {
	for i in $(seq 600); do
		"$@" >try.out 2>&1 && return 0
		sleep 0.1
	done
	cat try.out
	echo "in vain: $*"
	exit 1
}
has() { # SOCKET STUDY STATUS
	"$ctl" status --socket "$1" | awk -v s="$2" -v w="$3" \
	    '$1 == s && $2 == w { found = 1 } END { exit !found }'
}

for i in $(seq "$STUDIES"); do
	name=lung$i
	sed "s/^name = lung/name = $name/" "$study" >$name.study
	"$ctl" study sign --root out/root $name.study --sites a,b,c \
	    --out $name.signed >/dev/null
	try "$ctl" submit --socket out/run/coordinator.sock $name.signed
	for s in a b c; do
		socket=out/run/site-$s.sock
		try has $socket $name received
		try "$ctl" prepare --socket $socket $name
		try "$ctl" approve --socket $socket $name --key \
		    out/officer/officer.key --passphrase-file \
		    out/officer/passphrase
	done
	for page in $pages; do
		try "$flood" get "$page"
	done
	for who in coordinator site-a site-b site-c; do
		try has out/run/$who.sock $name done
		rm -rf got && mkdir got
		try "$ctl" result --socket out/run/$who.sock $name --out got
		plain got/result.json | cmp - want.plain
	done
done
for pid in $pids; do
	kill -0 "$pid" || {
		echo "a flood or a daemon has ended"
		exit 1
	}
done
aborts=$(grep -c ' abort ' out/coordinator/state/audit.log) || :
echo "flood: $STUDIES studies done under it, $aborts rounds aborted;" \
    "$(sed -n 's/.*warning: \([0-9]*\) connections were.*/\1/p' \
	coordinator.log | awk '{ n += $1 } END { print n + 0 }')" \
    "connections turned away"
