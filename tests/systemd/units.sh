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

# verify UNIT...: nothing to say about any of them.
verify() {
	SYSTEMD_UNIT_PATH=$tmp: systemd-analyze verify --man=no "$@" \
	    2>"$tmp/errors" || {
		cat "$tmp/errors" >&2
		exit 1
	}
	# What verify says of our units, it says on standard error.
	if grep consilium "$tmp/errors"; then
		exit 1
	fi
}

cp "$top_srcdir"/systemd/*.socket "$top_srcdir"/systemd/*.timer "$tmp"
for unit in consiliumd consilium-coordinator consiliumd-certificates \
    consilium-coordinator-certificates; do
	case $unit in
	*-certificates) program=$builddir/ctl/consiliumctl ;;
	consiliumd) program=$builddir/daemon/consiliumd ;;
	*) program=$builddir/coordinator/consilium-coordinator ;;
	esac
	# The programs are where they were built, not yet where they will be.
	sed "s|^\(ExecStart[A-Za-z]*=\)[^ ]*|\1$program|" \
	    "$builddir/systemd/$unit.service" >"$tmp/$unit.service"
	grep -q "^ExecStart=$program " "$tmp/$unit.service"
	if grep '@[a-z]*@' "$tmp/$unit.service"; then
		echo "$unit.service: something was not put in" >&2
		exit 1
	fi
	systemd-analyze security --no-pager --offline=yes --threshold=15 \
	    "$tmp/$unit.service" >"$tmp/security" || {
		cat "$tmp/security" >&2
		exit 1
	}
	tail -n 1 "$tmp/security"
done
verify "$tmp"/*.service "$tmp"/*.socket "$tmp"/*.timer

# The socket units listen where the examples and the daemons' units say.
for unit in consiliumd consilium-coordinator; do
	listen=$(sed -n 's/^ListenStream=//p' "$tmp/$unit.socket")
	grep -q "^socket = $listen\$" "$top_srcdir/examples/$unit.conf"
	grep -q '^FileDescriptorName=control$' "$tmp/$unit.socket"
	grep -q "^RuntimeDirectory=$(basename "$(dirname "$listen")")\$" \
	    "$tmp/$unit.service"
done

# A credential as the comments in the units have it.
for unit in consiliumd consilium-coordinator; do
	sed 's/^#\(LoadCredential.*=\)/\1/' "$tmp/$unit.service" \
	    >"$tmp/with.service"
	[ "$(grep -c '^LoadCredential' "$tmp/with.service")" = 2 ]
	verify "$tmp/with.service"
	rm "$tmp/with.service"
done

# The events: one list, one catalogue, one page, and journald understands it.
events=$top_srcdir/common/log_events.h
catalog=$top_srcdir/systemd/consilium.catalog
page=$top_srcdir/man/consilium-events.7
sed -n 's/^#define EVENT_[A-Z_]* "\([0-9a-f]\{32\}\)"$/\1/p' "$events" |
    sort >"$tmp/ids"
[ "$(wc -l <"$tmp/ids")" = "$(grep -c '^#define EVENT_' "$events")" ]
[ -z "$(uniq -d "$tmp/ids")" ]
sed -n 's/^-- \([0-9a-f]*\)$/\1/p' "$catalog" | sort | cmp - "$tmp/ids"
sed -n 's/^\.It Dv \([0-9a-f]\{32\}\)$/\1/p' "$page" | sort | cmp - "$tmp/ids"
if command -v journalctl >/dev/null; then
	mkdir -p "$tmp/journal/usr/lib/systemd/catalog" \
	    "$tmp/journal/var/lib/systemd/catalog"
	cp "$catalog" "$tmp/journal/usr/lib/systemd/catalog"
	journalctl --root="$tmp/journal" --update-catalog 2>"$tmp/errors"
	if [ -s "$tmp/errors" ]; then
		cat "$tmp/errors" >&2
		exit 1
	fi
	[ "$(journalctl --root="$tmp/journal" --list-catalog | wc -l)" = \
	    "$(wc -l <"$tmp/ids")" ]
fi

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
