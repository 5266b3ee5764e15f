#!/bin/sh
# Everybody's certificate is renewed in the middle of a round: one site is held
# still, so that the round is open; all get new certificates for the keys that
# they have, and SIGHUP.  The round goes on to its sum, nobody restarts, and the
# manifest stands.
. "$top_srcdir/tests/e2e/lib.sh"

ctl=$builddir/ctl/consiliumctl
deal "$vectors/lung.csv" '$1'
# The time to renew three sites and a coordinator is not to end a phase.
sed -e 's/ = 10$/ = 300/' "$src/lung.study" >slow.study
"$local" --study slow.study --site a=site-a.csv --site b=site-b.csv \
    --site c=site-c.csv --out out >run.txt 2>run.err &
run=$!
trap 'kill $run 2>/dev/null || :' EXIT

# await COMMAND...: until it succeeds, for as long as the study runs.
await() {
	until "$@" 2>/dev/null; do
		kill -0 $run 2>/dev/null || {
			cat run.txt run.err
			fail "the run ended before: $*"
		}
		sleep 0.05
	done
}

# daemon NAME: its pid, by its configuration.
daemon() {
	for p in $(pgrep -P $run); do
		tr '\0' ' ' <"/proc/$p/cmdline" | grep -q "/$1/consili" && echo "$p"
	done
}

# The pid of a process of site c, that process only.
gate() {
	pgrep -P "$(daemon c)" -x gate
}

sums() {
	[ "$(grep -c 'sum over 3 sites' out/coordinator/log)" -ge "$1" ]
}

await sums 2
gate=$(gate)
kill -STOP "$gate"
# The others are done with this round, as far as it goes without c.
announced() {
	[ "$(grep -c 'round announced' out/coordinator/log)" -gt \
	    "$(grep -c 'sum over 3 sites' out/coordinator/log)" ]
}
await announced
open=$(grep 'round announced' out/coordinator/log | tail -n 1 |
    sed 's/.* ROUND=\([0-9]*\) .*/\1/')
for member in coordinator sites/a sites/b sites/c; do
	keys=out/$member/keys
	cp "$keys/tls.crt" "$(basename $member).before"
	"$ctl" join --root out/root "$keys/request" --out welcome >/dev/null
	"$ctl" welcome --dir "$keys" welcome >/dev/null
	cmp -s "$keys/tls.crt" "$(basename $member).before" &&
	    fail "$member: no new certificate"
	kill -HUP "$(daemon "$(basename $member)")"
done
for member in coordinator sites/a sites/b sites/c; do
	await grep -q 'info: new certificates in use' out/$member/log
done
kill -CONT "$gate"
wait $run || {
	cat run.txt run.err
	fail "the study did not end well"
}
trap - EXIT
tail -n 1 run.txt | grep -q '^max |federated - pooled| / se = ' ||
    fail "the last line is another"
grep 'sum over 3 sites' out/coordinator/log | grep -q "ROUND=$open " ||
    fail "round $open has no sum"
for member in coordinator sites/a sites/b sites/c; do
	[ "$(grep -c 'notice: ready' out/$member/log)" = 1 ] ||
	    fail "$member was started again"
	! grep -E 'round (aborted|ended)|error:' out/$member/log ||
	    fail "$member: not without a failure"
done
echo "renewed in round $open, which has its sum; no restart, no aborted round"
cd ..
rm -rf "$dir"
