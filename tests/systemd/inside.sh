#!/bin/sh
# Runs inside the container that boot.sh boots: prints what was done and seen.
set -eu

. /mnt/where.sh
(cd /mnt && tar cf - --exclude=inside.sh --exclude=where.sh --exclude=study .) | tar xf - -C / \
    --no-same-owner --keep-directory-symlink
ip link set lo up 2>/dev/null || ifconfig lo up 2>/dev/null || :
PATH=$prefix/bin:$prefix/sbin:$PATH
systemd-sysusers 2>/dev/null
systemd-tmpfiles --create "$prefix/lib/tmpfiles.d/consilium.conf"
systemctl daemon-reload
journalctl --update-catalog

say() {
	echo "$*"
}

die() {
	echo "failed: $*" >&2
	journalctl --no-pager -n 60 -u consiliumd -u consilium-coordinator >&2
	systemctl status --no-pager consiliumd consilium-coordinator >&2 || :
	exit 1
}

# Wait until a command succeeds.
await() {
	what=$1
	shift
	for i in $(seq 150); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.2
	done
	die "$what"
}

# Enrolment, as the manual says it.
ckeys=$sysconfdir/consilium-coordinator/keys
skeys=$sysconfdir/consilium/keys
mkdir /root/enrol
cd /root/enrol
consiliumctl root init --dir root --consortium test --no-passphrase >/dev/null
consiliumctl coordinator init --dir "$ckeys" --name coordinator \
    --host localhost >/dev/null
consiliumctl join --root root "$ckeys/request" --out welcome >/dev/null
consiliumctl welcome --dir "$ckeys" welcome >/dev/null
for site in freiburg basel strasbourg; do
	dir=/root/enrol/$site
	[ $site != freiburg ] || dir=$skeys
	consiliumctl site init --dir "$dir" --name $site >/dev/null
	consiliumctl join --root root "$dir/request" --out welcome.$site >/dev/null
	consiliumctl welcome --dir "$dir" welcome.$site >/dev/null
done
consiliumctl manifest sign --root root --out manifest >/dev/null
systemd-tmpfiles --create "$prefix/lib/tmpfiles.d/consilium.conf"

cat >"$sysconfdir/consilium-coordinator/consilium-coordinator.conf" <<EOF
[coordinator]
name = coordinator
state = /var/lib/consilium-coordinator
keys = $ckeys
listen = 127.0.0.1:7443
[control]
socket = /run/consilium-coordinator/control.sock
operator-group = consilium-operator
EOF
echo "the officer of this test" >passphrase
chmod 600 passphrase
consiliumctl officer init --key officer.key --passphrase-file passphrase \
    >/dev/null
# site_conf NAME STATE KEYS SOCKET: /srv/NAME.csv are its records.
site_conf() {
	cat <<EOF
[site]
name = $1
state = $2
keys = $3
[coordinator]
address = localhost:7443
[officer]
public-key = $(cat officer.key.pub)
[source]
csv = /srv/$1.csv
[policy]
smallest-k = 1
smallest-risk-set-step = 1
[control]
socket = $4
operator-group = consilium-operator
officer-group = consilium-officer
EOF
}
site_conf freiburg /var/lib/consilium "$skeys" /run/consilium/control.sock \
    >"$sysconfdir/consilium/consiliumd.conf"
n=0
for site in freiburg basel strasbourg; do
	awk -F, -v n=$n 'NR == 1 || NR % 3 == n' /mnt/study/lung.csv \
	    >/srv/$site.csv
	n=$((n + 1))
done

property() {
	systemctl show -p "$2" --value "$1"
}

# is UNIT PROPERTY VALUE
is() {
	[ "$(property "$1" "$2")" = "$3" ]
}

# The pid of a process of a unit, by its name.
pid_of() {
	for p in $(cat "/sys/fs/cgroup$(property "$1" ControlGroup)/cgroup.procs" \
	    2>/dev/null || cat "/sys/fs/cgroup/systemd$(property "$1" ControlGroup)/cgroup.procs"); do
		[ "$(cat /proc/$p/comm)" != "$2" ] || echo "$p"
	done
}

# right DAEMON WORDS: root asks whether its configuration is right.
right() {
	"$prefix/sbin/$1" -n >/root/right || die "$1 -n"
	grep -q "\.conf: $2: " /root/right || die "$1 -n: $(cat /root/right)"
}
right consiliumd ok
right consilium-coordinator ok

# The socket alone: the first who asks starts the coordinator.
systemctl start consilium-coordinator.socket || die "the socket does not start"
is consilium-coordinator ActiveState inactive || die "started without a socket"
consiliumctl status >/dev/null || die "nobody behind the socket"
await "started by its socket" is consilium-coordinator ActiveState active
say "socket activation: consiliumctl status has started the coordinator"

for unit in consilium-coordinator consiliumd; do
	systemctl start $unit || die "$unit does not start"
	is $unit ActiveState active || die "$unit is not active"
done
consiliumctl submit --socket /run/consilium-coordinator/control.sock manifest \
    >/dev/null || die "submit"
right consiliumd "ok (as user consilium)"
right consilium-coordinator "ok (as user consilium-coordinator)"
say "started: $(systemctl is-active consiliumd), \"$(property consiliumd StatusText)\""

# locked_in UNIT USER PROCESS ...
locked_in() {
	unit=$1
	uid=$(id -u "$2")
	shift 2
	for p in $unit "$@"; do
		[ "$p" != consilium-coordinator ] || p=consilium-coord
		status=/proc/$(pid_of "$unit" "$p")/status
		grep -q "^Uid:	$uid	$uid	$uid	$uid\$" "$status" &&
		    grep -q '^NoNewPrivs:	1$' "$status" &&
		    grep -q '^Seccomp:	2$' "$status" &&
		    grep -q '^CapEff:	0000000000000000$' "$status" ||
		    die "$unit: $p: $(cat "$status")"
		# Not dumpable: nobody else of its user may look into it.
		[ "$p" = consiliumd ] || [ "$p" = consilium-coord ] ||
		    [ "$(stat -c %U "$status")" = root ] ||
		    die "$unit: $p can be dumped"
	done
}
locked_in consiliumd consilium gate uplink control
locked_in consilium-coordinator consilium-coordinator rounds listener control
say "locked in: the units' users, no privileges, seccomp, not dumpable"

# Who is in no group may connect, and is refused.
su -s /bin/sh nobody -c "consiliumctl status --socket /run/consilium/control.sock" \
    >/dev/null 2>/root/refused && die "nobody was let in"
grep -q "for the operator-group and .* is not in it" /root/refused || die "refused, but why"
consiliumctl status >/dev/null ||
    die "root was not let in"
usermod -a -G consilium-operator nobody
su -s /bin/sh nobody -c "consiliumctl status --socket /run/consilium/control.sock" \
    >/dev/null || die "an operator was not let in"
say "control: nobody refused, operator served"

old=$(pid_of consiliumd gate)
main=$(property consiliumd MainPID)
kill -9 "$old"
gate_again() {
	new=$(pid_of consiliumd gate)
	[ -n "$new" ] && [ "$new" != "$old" ] &&
	    consiliumctl status --socket /run/consilium/control.sock
}
await "gate comes back" gate_again
is consiliumd MainPID "$main" || die "the parent went too"
say "kill -9 gate: started again by its parent"

old=$main
kill -9 "$main"
main_again() {
	is consiliumd ActiveState active && ! is consiliumd MainPID "$old" &&
	    consiliumctl status --socket /run/consilium/control.sock
}
await "consiliumd comes back" main_again
is consiliumd NRestarts 1 || die "restarts: $(property consiliumd NRestarts)"
say "kill -9 consiliumd: started again by systemd, after 5 s"

for unit in consilium-coordinator consiliumd; do
	main=$(property $unit MainPID)
	systemctl reload $unit || die "$unit: reload"
	await "$unit reloads" sh -c "journalctl -u $unit | grep -q 'reloaded'"
	is $unit MainPID "$main" || die "$unit: reload was a restart"
done
say "reload: new certificates without a restart"

# One that hangs: the watchdog ends it.
mkdir -p /run/systemd/system/consiliumd.service.d
printf '[Service]\nWatchdogSec=3\n' \
    >/run/systemd/system/consiliumd.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart consiliumd
sleep 4
is consiliumd ActiveState active || die "the watchdog was not fed"
old=$(property consiliumd MainPID)
kill -STOP "$(pid_of consiliumd uplink)"
await "consiliumd comes back from a hanging uplink" main_again
journalctl -u consiliumd | grep -q "uplink does not answer" || die "who hung"
say "kill -STOP uplink: ended by the watchdog, started again"

for unit in consiliumd consilium-coordinator; do
	systemctl stop $unit
	is $unit ActiveState inactive && is $unit Result success ||
	    die "$unit: stopped with $(property $unit Result)"
done
[ -S /run/consilium/control.sock ] || die "the socket unit's socket is gone"
systemctl stop consiliumd.socket
[ ! -e /run/consilium/control.sock ] || die "the socket is left"
if journalctl -u consiliumd | tail -n 20 | grep "was killed by SIGTERM"; then
	die "the end was not an orderly one"
fi
say "stopped: success"

# Without the socket unit the daemon listens by itself.
systemctl mask --runtime consiliumd.socket 2>/dev/null
systemctl start consiliumd || die "consiliumd does not start without its socket"
consiliumctl status --socket /run/consilium/control.sock >/dev/null ||
    die "it does not listen"
systemctl stop consiliumd
[ ! -e /run/consilium/control.sock ] || die "its own socket is left"
systemctl unmask --runtime consiliumd.socket 2>/dev/null
say "without the socket unit: listens by itself"

# The identity key as a credential, in clear and encrypted, and nowhere else.
mv "$skeys/identity.key" /root/identity.key
! systemctl start consiliumd 2>/dev/null || die "started without its key"
systemctl reset-failed consiliumd
mkdir -p /etc/credstore.encrypted
systemd-creds encrypt --with-key=host --name=identity.key /root/identity.key \
    /etc/credstore.encrypted/consilium.identity.key
for setting in LoadCredential=identity.key:/root/identity.key \
    LoadCredentialEncrypted=identity.key:/etc/credstore.encrypted/consilium.identity.key; do
	printf '[Service]\n%s\n' "$setting" \
	    >/run/systemd/system/consiliumd.service.d/credential.conf
	systemctl daemon-reload
	systemctl start consiliumd || die "$setting"
	is consiliumd ActiveState active || die "$setting: not active"
	systemctl stop consiliumd
	say "credential: ${setting%%:*}"
done
mv /root/identity.key "$skeys/identity.key"

# A study of the unit and two other sites, which have no unit.
systemctl start consilium-coordinator consiliumd || die "start"
for site in basel strasbourg; do
	dir=/srv/$site
	mkdir -p $dir
	mv /root/enrol/$site $dir/keys
	site_conf $site $dir/state $dir/keys $dir/control.sock \
	    >$dir/consiliumd.conf
	chown -R consilium:consilium $dir /srv/$site.csv
	systemd-run --quiet --unit=site-$site --uid=consilium \
	    "$prefix/sbin/consiliumd" -f $dir/consiliumd.conf ||
	    die "$site does not start"
done
chown consilium:consilium /srv/freiburg.csv
consiliumctl study sign --root root /mnt/study/lung-sex.study \
    --sites freiburg,basel,strasbourg --out study >/dev/null
consiliumctl submit --socket /run/consilium-coordinator/control.sock study \
    >/dev/null || die "the study is not taken"
status_of() { # SOCKET STATUS
	consiliumctl status --socket "$1" |
	    awk -v w="$2" '$1 == "lung-sex" && $2 == w { found = 1 }
		END { exit !found }'
}
sockets="/run/consilium/control.sock /srv/basel/control.sock
/srv/strasbourg/control.sock"
for socket in $sockets; do
	await "a site has the study" status_of "$socket" received
	consiliumctl prepare --socket "$socket" lung-sex >/dev/null ||
	    die "prepare"
	consiliumctl approve --socket "$socket" lung-sex --key officer.key \
	    --passphrase-file passphrase >/dev/null || die "approve"
done
for socket in $sockets /run/consilium-coordinator/control.sock; do
	await "the study is done" status_of "$socket" done
done
consiliumctl result --socket /run/consilium/control.sock lung-sex \
    --out /root/result >/dev/null && [ -s /root/result/result.json ] ||
    die "no result"
# Its rounds are in the journal, by their fields.
for unit in consiliumd consilium-coordinator; do
	for round in 1 2; do
		[ -n "$(journalctl -q -u $unit STUDY=lung-sex ROUND=$round)" ] ||
		    die "$unit: nothing of round $round in the journal"
	done
done
journalctl -q -o json SITE=freiburg STUDY=lung-sex ROUND=1 |
    grep -q '"MESSAGE_ID":"7e6a3114f06446e285bd94d505edee95"' ||
    die "freiburg: no event of the sum of round 1"
say "a study of three sites: done, and in the journal by STUDY, ROUND and SITE"
systemctl stop site-basel site-strasbourg consiliumd consilium-coordinator

# Events, with the catalogue's words.
ids=$(journalctl -o json -u consiliumd | grep -c '"MESSAGE_ID":"[0-9a-f]*"') || :
[ "$ids" -gt 5 ] || die "$ids events in the journal"
journalctl -o json -u consiliumd CONSILIUM_PROCESS=consiliumd | tail -n 1 |
    grep -q '"SITE":"freiburg"' || die "no SITE in the journal"
journalctl -x -u consiliumd | grep -q "All processes are running" ||
    die "the catalogue is not known"
say "journal: $ids events of consiliumd, with explanations"

systemctl start consiliumd-certificates || die "the certificate is not good?"
systemctl start consiliumd-certificates.timer || die "the timer"
[ -n "$(property consiliumd-certificates.timer NextElapseUSecRealtime)" ] ||
    die "the timer has no next time"
say "certificates: the check succeeds, the timer waits"
