#!/bin/sh
# The whole enrolment by consiliumctl, without a daemon: root, coordinator,
# three sites, an officer, manifest and study; and what it must refuse.
set -eu
umask 022

ctl=$builddir/ctl/consiliumctl
study=$top_srcdir/examples/breast-cancer/rfs.study
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

fail() {
	echo "offline: $*" >&2
	exit 1
}

# run OUTPUT-HAS COMMAND...: it succeeds and says so.
run() {
	want=$1
	shift
	"$ctl" "$@" >out 2>err || fail "$*: status $?: $(cat err)"
	grep -q -e "$want" out || fail "$*: \"$want\" not in: $(cat out)"
}

# refuse STATUS ERROR-HAS COMMAND...: it fails with one line that says why.
refuse() {
	status=$1 want=$2
	shift 2
	got=0
	"$ctl" "$@" >out 2>err || got=$?
	[ "$got" = "$status" ] || fail "$*: status $got, expected $status"
	grep -q -e "$want" err || fail "$*: \"$want\" not in: $(cat err)"
	[ "$status" = 2 ] || [ "$(wc -l <err)" = 1 ] ||
	    fail "$*: more than one line: $(cat err)"
}

# flip FILE OFFSET: another byte there.
flip() {
	byte=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
	printf "\\$(printf %03o $((byte ^ 1)))" |
	    dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

echo "usage"
run '^  root init  *make a consortium' help
run '^consiliumctl root rotate --root DIR' help root
run '^consiliumctl root rotate --root DIR' help root rotate
! grep -q 'root init' out || fail "help of another command: $(cat out)"
run '^consiliumctl [0-9]*\.[0-9]' --version
refuse 2 'unknown command: nonsense;' nonsense
[ "$(wc -l <err)" = 1 ] || fail "more than an error: $(cat err)"
refuse 2 'unknown command: nonsense;' help nonsense
refuse 2 'unknown command: root;' root
grep -q '^consiliumctl root adopt --dir DIR' err || fail "not the root's commands"
refuse 2 'unknown command: root burn;' root burn --dir r
refuse 2 'a command is missing'
refuse 2 '--consortium NAME is missing' root init --dir r
refuse 2 'no option of' root init --dir r --consortium c --host h
refuse 2 'is there twice' root init --dir r --dir r --consortium c
refuse 2 'expected NAME' root init --dir r --consortium
refuse 2 'one word too many' root init --dir r --consortium c more
refuse 2 'REQUEST is missing' join --root r --out w

run '^consiliumctl status \[--socket SOCKET\] \[--json\] \[STUDY\]' help status
refuse 1 'no daemon at /run/consilium/control.sock' status
refuse 1 'no daemon at ./nobody' status --socket ./nobody
refuse 1 'no daemon at ./nobody' --json status --socket ./nobody
refuse 2 'has no --json' --json site init --dir x --name x

echo "root"
refuse 1 'expected 1 to 32' root init --dir root --consortium 'Euro Breast'
refuse 1 'not both' root init --dir root --consortium eurobreast \
    --no-passphrase --passphrase-file pass
[ ! -e root ] || fail "a refused root left something"
# Without a word about a passphrase, one is asked for.
got=0
setsid -w "$ctl" root init --dir asked --consortium eurobreast \
    </dev/null >out 2>err || got=$?
[ $got = 1 ] && grep -q "no terminal to ask .* the root's key" err ||
    fail "a root without a passphrase: $(cat out err)"
[ ! -e asked/root.key ] || fail "a key without a passphrase"
run 'root public key' root init --dir root --consortium eurobreast \
    --no-passphrase
[ "$(stat -c %a root/root.key root/ca.key | sort -u)" = 400 ] ||
    fail "the root's keys are open"
refuse 1 'never overwritten' root init --dir root --consortium eurobreast
root_key=$(cat root/root.pub)

echo "members make keys"
run 'identity key' coordinator init --dir hub --name hub --host hub.example.org
for site in berlin lyon turin; do
	run 'identity key' site init --dir $site --name $site
	grep -q "^identity key $(cat $site/identity.pub)$" out ||
	    fail "not the key of $site/identity.pub"
	for key in identity tls pseudonym; do
		[ "$(stat -c %a $site/$key.key)" = 400 ] ||
		    fail "$site/$key.key is open"
	done
done
refuse 1 'never overwritten' site init --dir lyon --name lyon
refuse 1 '--name' site init --dir x --name 'a/b'
refuse 1 'host' coordinator init --dir x --name hub2 --host 'a,DNS:b'
[ ! -e x ] || fail "a refused member left something"

echo "the root lets them in"
refuse 1 'the coordinator has to join first' \
    join --root root berlin/request --out berlin/welcome
refuse 1 'no coordinator has joined' manifest sign --root root --out manifest
run 'hub is the coordinator of eurobreast' \
    join --root root hub/request --out hub/welcome
run 'berlin is site 1' join --root root berlin/request --out berlin/welcome
run 'lyon is site 2' join --root root lyon/request --out lyon/welcome
run 'turin is site 3' join --root root turin/request --out turin/welcome
grep -q 'before you sign a manifest' out || fail "no word of a manifest"
run 'lyon is site 2' join --root root lyon/request --out lyon/again
grep -q 'a manifest that has the key stays' out || fail "not renewed: $(cat out)"
[ "$(grep -c '^\[site ' root/members)" = 3 ] || fail "a member twice"
run 'identity key' site init --dir other --name lyon
refuse 1 'lyon is a member already, and has other keys' \
    join --root root other/request --out other/welcome
run 'identity key' coordinator init --dir hub2 --name hub2 --host h
refuse 1 'has a coordinator already' \
    join --root root hub2/request --out hub2/welcome
cp turin/request bad
flip bad 60
refuse 1 'bad: ' join --root root bad --out bad.welcome
chmod 444 root/root.key
refuse 1 'mode 0444 lets others at a secret' \
    join --root root turin/request --out turin/welcome
chmod 400 root/root.key

echo "members install the welcome"
refuse 1 'not for the request in' welcome --dir lyon berlin/welcome
refuse 1 'another root than --root-key' welcome --dir lyon lyon/welcome \
    --root-key "$("$ctl" root init --dir root2 --consortium eurobreast \
	--no-passphrase | sed -n 's/root public key //p')"
cp lyon/welcome bad
flip bad 900
refuse 1 'signature' welcome --dir lyon bad
[ ! -e lyon/tls.crt ] || fail "a refused welcome left a certificate"
for member in hub berlin lyon turin; do
	run "$member is a member of eurobreast" \
	    welcome --dir $member $member/welcome --root-key root/root.pub
	for file in tls.crt ca.crt root.pub coordinator.pub; do
		[ -s $member/$file ] || fail "no $member/$file"
	done
done
run 'is a member of' welcome --dir lyon lyon/again
# Another root of the same name cannot take a member over.
run 'is the coordinator' join --root root2 hub2/request --out hub2/welcome
run 'lyon is site 1' join --root root2 lyon/request --out lyon/stolen
refuse 1 'another key is pinned already' welcome --dir lyon lyon/stolen

run 'tls.crt: valid until .*, 729 days\|tls.crt: valid until .*, 730 days' \
    certificates check --dir berlin
cp -r berlin swapped
cp -f root2/ca.crt swapped/ca.crt
refuse 1 'tls.crt' certificates check --dir swapped
cp -f berlin/ca.crt swapped/ca.crt
cp -f lyon/tls.crt swapped/tls.crt
refuse 1 'tls.crt: does not belong to swapped/tls.key' \
    certificates check --dir swapped
# The key may be a credential of the daemon's unit.
rm swapped/tls.key
refuse 1 'tls.crt: does not belong to the key of swapped/request' \
    certificates check --dir swapped
cp -f berlin/tls.crt swapped/tls.crt
run 'tls.crt: valid until' certificates check --dir swapped
rm swapped/tls.crt
refuse 1 'swapped/tls.crt: No such file' certificates check --dir swapped

echo "manifest"
refuse 1 'expected a whole number from 1' \
    manifest sign --root root --out manifest --corrupted 0
run 'epoch 1: coordinator hub, sites: 3, active: 3' \
    manifest sign --root root --out manifest
run 'epoch 2' manifest sign --root root --out manifest
refuse 1 'expected a whole number from 3' \
    manifest sign --root root --out manifest --epoch 2
run 'epoch 9' manifest sign --root root --out manifest --epoch 9

echo "a site's next identity"
cp -r root next
cp -r turin renewed
mkdir state
refuse 1 'state/audit.log: No such file' site reset --dir renewed --state state
: >state/audit.log
run 'identity key, until now' site reset --dir renewed --state state
old_key=$(sed -n 's/^identity key, until now //p' out)
new_key=$(sed -n 's/^identity key //p' out)
for key in identity tls; do
	cmp -s renewed/$key.key.1 turin/$key.key || fail "the old $key.key is gone"
	cmp -s renewed/$key.key turin/$key.key && fail "$key.key is the old one"
	[ ! -e renewed/$key.key.new ] || fail "$key.key.new is left"
done
cmp -s renewed/pseudonym.key turin/pseudonym.key || fail "another pseudonym.key"
[ "$(cat renewed/identity.pub.1 renewed/identity.pub)" = \
    "$(printf '%s\n' "$old_key" "$new_key")" ] || fail "not the public keys"
run '1 lines' audit verify --public-key renewed/identity.pub.1 state/audit.log
refuse 1 'signature' audit verify --public-key "$new_key" state/audit.log
refuse 1 'turin is a member already, and has other keys' \
    join --root next renewed/request --out bad
refuse 1 'no active site of the name hub2' \
    join --root next --replace hub2/request --out bad
run 'turin is site 3' \
    join --root next --replace renewed/request --out renewed/welcome
grep -q "^key = $new_key" next/members || fail "the new key is not listed"
! grep -q "$old_key" next/members || fail "the old key is still listed"
refuse 1 'expected new ones' \
    join --root next --replace renewed/request --out bad
run 'turin is a member' welcome --dir renewed renewed/welcome
run 'epoch 10' manifest sign --root next --out next.manifest
# Interrupted before the identity was in place: given again, it ends the same.
mv renewed/identity.key renewed/identity.key.new
cp renewed/identity.key.1 renewed/identity.key
run "identity key $new_key" site reset --dir renewed --state state
run '1 lines' audit verify --public-key "$old_key" state/audit.log

echo "the next root"
run 'root public key, from now on' root rotate --root next
# Given twice before a manifest is signed: no manifest could have two changes.
new_root=$(sed -n 's/^root public key, from now on //p' out)
run "root public key, from now on $new_root" root rotate --root next
grep -q 'it has signed no manifest yet' out || fail "no word of a manifest"
[ "$(stat -c %a next/root.key next/root.key.1 | sort -u)" = 400 ] ||
    fail "the root's keys are open"
cmp -s next/root.key.1 root/root.key || fail "the old root's key is gone"
refuse 1 'of another root than root.key' \
    study sign --root next "$study" --out bad
run 'epoch 11' manifest sign --root next --out next.manifest
run 'for berlin' study sign --root next "$study" --out bad
# Interrupted before the new key was in place.
cp -r next broken
run 'from now on' root rotate --root broken
mv broken/root.key broken/root.key.new
cp broken/root.key.2 broken/root.key
rm broken/root.key.2
refuse 1 'signs now' manifest sign --root broken --out bad
run 'from now on' root rotate --root broken
run 'epoch 12' manifest sign --root broken --out broken.manifest
# Members follow, over two changes at once, too; not to anybody else.
run 'root public key, until now' root adopt --dir berlin next.manifest
cmp -s berlin/root.pub next/root.pub || fail "berlin pins another root"
run 'has that root already' root adopt --dir berlin next.manifest
run 'root public key, until now' root adopt --dir lyon broken.manifest
cmp -s lyon/root.pub broken/root.pub || fail "lyon pins another root"
refuse 1 'of another root than the one' root adopt --dir lyon next.manifest
refuse 1 'of another root than the one' root adopt --dir lyon manifest
flip next.manifest 100
refuse 1 'next.manifest: ' root adopt --dir turin next.manifest
run 'berlin is site 1' join --root next berlin/request --out berlin/welcome
run 'berlin is a member' welcome --dir berlin berlin/welcome

echo "officer"
echo 'a passphrase of some length' >pass
refuse 1 'mode 0644 lets others at a passphrase' \
    officer init --key officer.key --passphrase-file pass
chmod 600 pass
run '^[0-9a-f]\{64\}$' officer init --key officer.key --passphrase-file pass
grep -q 'goes into \[officer\] public-key' out || fail "not where it goes"
head -n 1 out | cmp -s - officer.key.pub ||
    fail "the officer's public key differs"
refuse 1 'never overwritten' \
    officer init --key officer.key --passphrase-file pass

echo "study"
run 'quasi-identifiers' study check "$study"
run 'for berlin, lyon, turin' \
    study sign --root root "$study" --out study.signed
grep -q '^at least 3 inputs in every sum' out || fail "no rules: $(cat out)"
grep -q -a 'name = rfs' study.signed || fail "the study's text is not signed"
refuse 1 'expected 3 to' \
    study sign --root root "$study" --sites berlin,lyon --out bad
refuse 1 'oslo: no such site' \
    study sign --root root "$study" --sites berlin,lyon,oslo --out bad
refuse 1 'lyon: is named twice' \
    study sign --root root "$study" --sites berlin,lyon,lyon,turin --out bad
sed 's/^kind = cox/kind = cux/' "$study" >wrong.study
refuse 1 'wrong.study:[0-9]*:[0-9]*: ' study check wrong.study
refuse 1 'wrong.study:[0-9]*:[0-9]*: ' \
    study sign --root root wrong.study --out bad
sed 's/^expires = .*/expires = 2026-01-31/' "$study" >old.study
refuse 1 'old.study: the study has expired' \
    study sign --root root old.study --out bad
sed 's/^\[privacy\]/[privacy]\nsuite = chacha20/' "$study" >chacha.study
run 'for berlin, lyon, turin' study sign --root root chacha.study --out chacha
refuse 1 'expected aes-256-ctr' \
    manifest sign --root root --out manifest --suites aes,chacha20
run 'epoch 10' manifest sign --root root --out manifest --suites aes-256-ctr
refuse 1 "does not allow the study's cipher suite" \
    study sign --root root chacha.study --out bad
refuse 1 '2 corrupted sites and at least 2 .* need 4 sites, active: 3' \
    manifest sign --root root --out two --corrupted 2
refuse 1 '1 corrupted .* at least 3 .* need 4 sites, active: 3' \
    manifest sign --root root --out two --honest-min 3
refuse 1 '5 corrupted' manifest sign --root root --out two --corrupted 5
[ ! -e two ] || fail "a manifest was written that no study can keep"
# The rules that count are those of the manifest signed last, wherever it is.
cp -r root wide
run 'identity key' site init --dir oslo --name oslo
run 'oslo is site 4' join --root wide oslo/request --out oslo/welcome
run 'at least 3 honest' manifest sign --root wide --out trial --honest-min 3
refuse 1 'rfs.study: .*epoch 11 .*at least 3 .*: 3 sites .* at least 4 needed' \
    study sign --root wide "$study" --sites berlin,lyon,turin --out unsafe
[ ! -e unsafe ] || fail "a refused study was written"
sed -i '/^\[site turin\]/,/^status/s/^status = active/status = revoked/' \
    root/members
run 'sites: 3, active: 2' manifest sign --root root --out manifest
refuse 1 'turin: a revoked site' \
    study sign --root root "$study" --sites berlin,lyon,turin --out bad
refuse 1 'turin was revoked' join --root root turin/request --out bad
sed -i 's/^key = .*/key = xyz/' root/members
refuse 1 'root/members:[0-9]*:[0-9]*: key' \
    manifest sign --root root --out manifest

echo "a study's skeleton"
printf 'patient,age,"born on",weight,ward\nMuster,47,1.2.1970,70.5,B\n' >t.csv
printf 'Zweitens,53,03.04.1965,81,C\n' >>t.csv
refuse 1 'missing.csv' study init missing.csv --out new.study
run '5 columns, 5 of them direct identifiers' study init t.csv --out new.study
! grep -q -e Muster -e Zweitens -e 70.5 -e 47 new.study ||
    fail "a value is in the skeleton"
[ "$(grep -c '^privacy = direct-identifier' new.study)" = 5 ] ||
    fail "a column is not held for an identifier"
grep -A 1 '^\[column age\]' new.study | grep -q 'type = integer' ||
    fail "age is an integer"
grep -A 1 '^\[column weight\]' new.study | grep -q 'type = real' ||
    fail "weight is a real number"
refuse 1 'new.study:[0-9]*:[0-9]*: ' study check new.study
refuse 1 'new.study: is there already' study init t.csv --out new.study

echo "audit log"
: >empty.log
run '0 lines' audit verify --public-key root/root.pub empty.log
run '0 lines' audit verify --public-key "$root_key" empty.log
refuse 1 'lines are missing' \
    audit verify --public-key "$root_key" --expect 3 empty.log
echo 'not a line' >bad.log
refuse 1 'bad.log:1: ' audit verify --public-key "$root_key" bad.log
refuse 1 'no point' audit verify --public-key "$(printf %064d 0)" empty.log

echo "a root under a passphrase"
run 'root public key' root init --dir safe --consortium safe \
    --passphrase-file pass
run 'identity key' coordinator init --dir h --name h --host ::1
run 'h is the coordinator' join --root safe h/request --out h/welcome \
    --passphrase-file pass
echo 'a passphrase of some lengtx' >pass
refuse 1 'wrong passphrase' join --root safe h/request --out h/welcome \
    --passphrase-file pass

echo "the manual's first example"
mkdir example
sed -n '/^A consortium with one site/,/^\.Ed/s/^consiliumctl /"$ctl" /p' \
    "$top_srcdir/man/consiliumctl.1" >example.sh
[ "$(wc -l <example.sh)" = 8 ] || fail "the manual's example changed"
export ctl
(cd example && sh -e ../example.sh >out) || fail "the manual's example"
[ -s example/manifest.signed ] || fail "the manual's example signs nothing"

echo "no secret left the members' and the root's folders"
find . -name '*.key' ! -perm 400 | grep . && fail "an open key"
exit 0
