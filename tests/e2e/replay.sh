#!/bin/sh
# An outsider who has the root's public key repeats the rounds of a study from
# what the coordinator exports, and finds what was altered in it.
. "$top_srcdir/tests/e2e/lib.sh"

ctl=$builddir/ctl/consiliumctl
deal "$vectors/birthwt.csv" 'NR'
start "$src/birthwt.study"
socket=out/run/coordinator.sock

"$ctl" transcript --socket $socket birthwt --round 1 --out first
"$ctl" transcript --socket $socket birthwt --out last
"$ctl" transcript --socket $socket birthwt --chain --out chain
if "$ctl" transcript --socket $socket birthwt --round 999 --out none; then
	fail "a transcript of no round"
fi
stop

root=out/root/root.pub
"$ctl" audit replay --root-key $root first | tee first.txt
"$ctl" audit replay --root-key $root last --out last.model >last.txt
"$ctl" audit replay --root-key $root chain --out chain.model | tee chain.txt
# The single rounds are those of the chain, and end in the same model.
grep -qxF "$(tail -n 1 last.txt | tr -s ' ')" <<END || fail "last is not in chain"
$(tr -s ' ' <chain.txt)
END
cmp last.model chain.model
grep -q newton chain.txt || fail "the chain has no Newton step"

# Another root has signed none of it.
"$ctl" root init --dir other --consortium local --no-passphrase >/dev/null
if "$ctl" audit replay --root-key other/root.pub first 2>err.txt; then
	fail "another root's transcript"
fi
cat err.txt
"$builddir/tests/e2e/flip" first $root
"$builddir/tests/e2e/flip" last $root
cd ..
rm -rf "$dir"
