#!/bin/sh
# The units are what systemd understands, start what is built, and leave little
# exposed; sysusers.d and tmpfiles.d say what systemd takes.
set -eu

if ! command -v systemd-analyze >/dev/null; then
	echo "systemd-analyze is not installed: the units are not tested"
	exit 77
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

for unit in consiliumd consilium-coordinator; do
	case $unit in
	consiliumd) program=$builddir/daemon/consiliumd ;;
	*) program=$builddir/coordinator/consilium-coordinator ;;
	esac
	# The programs are where they were built, not yet where they will be.
	sed "s|^\(ExecStart[A-Za-z]*=\)[^ ]*|\1$program|" \
	    "$builddir/systemd/$unit.service" >"$tmp/$unit.service"
	grep -q "^ExecStart=$program -r\$" "$tmp/$unit.service"
	if grep '@[a-z]*@' "$tmp/$unit.service"; then
		echo "$unit.service: something was not put in" >&2
		exit 1
	fi
	SYSTEMD_UNIT_PATH=$tmp: systemd-analyze verify --man=no \
	    "$tmp/$unit.service" 2>"$tmp/errors" || {
		cat "$tmp/errors" >&2
		exit 1
	}
	# What verify says of our unit, it says on standard error.
	if grep "$unit" "$tmp/errors"; then
		exit 1
	fi
	systemd-analyze security --no-pager --offline=yes --threshold=15 \
	    "$tmp/$unit.service" >"$tmp/security" || {
		cat "$tmp/security" >&2
		exit 1
	}
	tail -n 1 "$tmp/security"
done

# A mistake is seen, so silence above means something.
sed 's/^WatchdogSec=/WatchdogSecs=/' "$tmp/consiliumd.service" >"$tmp/bad.service"
SYSTEMD_UNIT_PATH=$tmp: systemd-analyze verify --man=no "$tmp/bad.service" \
    2>"$tmp/errors" || :
grep -q WatchdogSecs "$tmp/errors"

if command -v systemd-sysusers >/dev/null; then
	mkdir "$tmp/root" "$tmp/root/etc"
	systemd-sysusers --root="$tmp/root" \
	    "$top_srcdir/systemd/consilium.sysusers.conf" >/dev/null 2>&1
	grep -q '^consilium:' "$tmp/root/etc/passwd"
	grep -q '^consilium-coordinator:' "$tmp/root/etc/passwd"
	grep -q '^consilium-officer:' "$tmp/root/etc/group"
	grep -q '^consilium-operator:' "$tmp/root/etc/group"
	if [ "$(id -u)" = 0 ] && command -v systemd-tmpfiles >/dev/null; then
		sed 's|/[^ ]*/consilium|/etc/consilium|' \
		    "$builddir/systemd/consilium.tmpfiles.conf" >"$tmp/tmpfiles"
		systemd-tmpfiles --create --root="$tmp/root" "$tmp/tmpfiles"
		[ "$(stat -c %a "$tmp/root/etc/consilium/keys")" = 750 ]
	fi
fi
