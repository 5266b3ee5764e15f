#!/bin/sh
# What is wrong is said in one line that names its place, with a status other
# than 0; nothing keeps running, and no patient's value is repeated.
. "$top_srcdir/tests/e2e/lib.sh"

# refused PATTERN OPTION ...: consilium-local fails, and its last line matches
refused() {
	pattern=$1
	shift
	rm -rf out
	if "$local" "$@" --out out >run.txt 2>run.err; then
		fail "accepted: $*"
	fi
	tail -n 1 run.err | grep -Eq "^consilium-local: .*$pattern" || {
		cat run.err
		fail "expected: $pattern"
	}
	echo "ok: $(tail -n 1 run.err)"
}

sites="--site a=site-a.csv --site b=site-b.csv --site c=site-c.csv"
deal "$vectors/lung.csv" '$1'
cp "$src/lung.study" lung.study

# The study.
sed 's/^ties = efron/colour = red/' lung.study >key.study
# shellcheck disable=SC2086 # a list of words
refused 'key\.study:[0-9]+:1: .*colour' --study key.study $sites
# shellcheck disable=SC2086
refused 'no\.study: No such file' --study no.study $sites
refused 'at least 3' --study lung.study --site a=site-a.csv --site b=site-b.csv
# shellcheck disable=SC2086
refused 'no site "z"' --study lung.study $sites --kill z@upload

# The source: a is what is changed.
cp site-a.csv good.csv
bad_source() {
	refused "$1" --study lung.study --site a=site-a.csv \
	    --site b=site-b.csv --site c=site-c.csv
	if grep -rq 7531 out --include=log || grep -q 7531 run.err; then
		fail "a patient's value is in a log"
	fi
}
cut -d, -f1-7 good.csv >site-a.csv
bad_source 'site-a\.csv:1.*wtloss'
sed '3s/^\([0-9]*\),[0-9]*/\1,7531/' good.csv >site-a.csv
bad_source 'site-a\.csv:3:'
{ cat good.csv; printf '"3,455'; } >site-a.csv
bad_source 'site-a\.csv:[0-9]+:'
rm site-a.csv
refused 'site a: site-a\.csv: No such file' --study lung.study \
    --site a=site-a.csv --site b=site-b.csv --site c=site-c.csv
cp good.csv site-a.csv

# A consortium that runs, to do wrong things to.
ctl=$builddir/ctl/consiliumctl
CONSILIUM_LIBEXEC=$builddir/daemon:$builddir/coordinator
export CONSILIUM_LIBEXEC
# shellcheck disable=SC2086
"$local" --study lung.study $sites --keep-running --out up >up.txt 2>up.err &
pid=$!
trap 'kill $pid 2>/dev/null || :' EXIT
for i in $(seq 600); do
	grep -q '^still running' up.err && break
	kill -0 $pid 2>/dev/null || break
	sleep 0.1
done
grep -q '^still running' up.err || {
	cat up.err
	fail "no consortium to try on"
}

# says PATTERN COMMAND ...: it fails, and one line of its errors matches
says() {
	pattern=$1
	shift
	if timeout 20 "$@" >said.txt 2>said.err; then
		fail "accepted: $*"
	fi
	grep -Eq "$pattern" said.err || {
		cat said.err
		fail "expected: $pattern"
	}
	echo "ok: $(grep -E "$pattern" said.err | head -n 1)"
}

# The coordinator's port, and a state that another daemon has.
address=$(sed -n 's/^a coordinator at \([^ ]*\) .*/\1/p' up.err)
sed -e "s/^listen = .*/listen = $address/" -e 's/coordinator\.sock/other.sock/' \
    -e "s|^state = .*|state = $dir/other|" \
    up/coordinator/consilium-coordinator.conf >port.conf
says "error: cannot listen on $address: Address already in use" \
    "$builddir/coordinator/consilium-coordinator" -f port.conf
cp said.err port.err
grep -v 'cannot listen on' port.err | grep -Eq 'gRPC|listener error' && {
	cat port.err
	fail "a port in use is more than one line"
}
says 'up/sites/a/state' "$builddir/daemon/consiliumd" \
    -f up/sites/a/consiliumd.conf

# Keys: another's, and a certificate whose time is over.
cp -r up/sites/a/keys keys
sed -e "s|^keys = .*|keys = $dir/keys|" -e "s|^state = .*|state = $dir/state|" \
    -e 's/site-a\.sock/other.sock/' up/sites/a/consiliumd.conf >keys.conf
rm keys/tls.key
cp up/sites/b/keys/tls.key keys/tls.key
says 'keys/tls\.(key|crt): ' "$builddir/daemon/consiliumd" -n -f keys.conf
rm keys/tls.key
cp up/sites/a/keys/tls.key keys/tls.key
"$builddir/tests/e2e/expired" up/root keys
says 'keys/tls\.crt: expired at ' "$builddir/daemon/consiliumd" -n -f keys.conf

# A study that another root has signed.
"$ctl" root init --dir root --consortium local --no-passphrase >/dev/null
for m in coordinator/keys sites/a/keys sites/b/keys sites/c/keys; do
	"$ctl" join --root root "up/$m/request" --out welcome >/dev/null
	rm -f welcome
done
"$ctl" manifest sign --root root --out manifest.other >/dev/null
sed 's/^name = lung/name = other/' lung.study >other.study
"$ctl" study sign --root root other.study --sites a,b,c --out other.signed \
    >/dev/null
says "signature is not that of the expected key" "$ctl" submit \
    --socket up/run/coordinator.sock other.signed

kill $pid
wait $pid || fail "the running consortium ended with status $?"
trap - EXIT

# A disk that is full: a small file system of our own, where the kernel lets an
# ordinary user have one.
mkdir small
if unshare -rm true 2>/dev/null; then
	# shellcheck disable=SC2016
	unshare -rm sh -eu -c 'mount -t tmpfs -o size=400k none small
	if "$1" --study lung.study --site a=site-a.csv --site b=site-b.csv \
	    --site c=site-c.csv --out small/out >full.txt 2>full.err; then
		exit 1
	fi' sh "$local" || fail "accepted: a full disk"
	tail -n 1 full.err | grep -Eq \
	    '^consilium-local: .*(No space left|full)' || {
		cat full.err
		fail "a full disk is not named"
	}
	echo "ok: $(tail -n 1 full.err)"
else
	echo "skipped: full disk (no user namespaces here)"
fi
cd ..
rm -rf "$dir"
