#!/bin/sh
# Both daemons under a real systemd: what make install installs is put into a
# booted container (nothing outside it changes), enrolled, started, killed,
# left hanging, reloaded, stopped, and taken through a study.  Takes a minute; needs root and
# systemd-nspawn.
set -eu

if [ "$(id -u)" != 0 ] || ! command -v systemd-nspawn >/dev/null; then
	echo "needs root and systemd-nspawn (Debian: systemd-container)" >&2
	exit 1
fi

work=$(mktemp -d)
name=consilium-boot-$$
mkdir "$work/root" "$work/dest"
make -s -C "$builddir" install DESTDIR="$work/dest" >/dev/null
cp "$top_srcdir/tests/systemd/inside.sh" "$work/dest/inside.sh"
mkdir "$work/dest/study"
cp "$top_srcdir/tests/vectors/pooled/lung.csv" \
    "$top_srcdir/tests/e2e/lung-sex.study" "$work/dest/study"
cat "$builddir/systemd/consiliumd.service" |
    sed -n 's|^ExecStart=\(.*\)/sbin/consiliumd -r$|prefix=\1|p' >"$work/dest/where.sh"
echo "sysconfdir=$(sed -n \
    's|^d *\(/.*\)/consilium/keys .*|\1|p' \
    "$builddir/systemd/consilium.tmpfiles.conf")" >>"$work/dest/where.sh"

# A cgroup of its own, or several containers clash in the root's.
for h in systemd unified; do
	if [ -d /sys/fs/cgroup/$h ]; then
		mkdir -p "/sys/fs/cgroup/$h/$name"
		echo $$ >"/sys/fs/cgroup/$h/$name/cgroup.procs"
	fi
done

# / itself is refused as a root, a bind mount of it is not.
unshare -m sh -c '
	mount --make-rprivate / && mount --bind / "$1/root" &&
	exec systemd-nspawn -q -D "$1/root" -M "$2" --volatile=overlay \
	    --register=no --keep-unit --private-network --console=pipe \
	    --capability=CAP_IPC_LOCK \
	    --system-call-filter="@memlock memfd_secret landlock_create_ruleset landlock_add_rule landlock_restrict_self" \
	    --bind-ro="$1/dest:/mnt" -b systemd.unit=basic.target
' sh "$work" "$name" </dev/null >"$work/console" 2>&1 &
nspawn=$!

inside() {
	nsenter -t "$leader" -a "$@"
}

finish() {
	status=$?
	trap - EXIT
	if [ -n "${leader:-}" ]; then
		inside systemctl poweroff >/dev/null 2>&1 || :
		for i in $(seq 50); do
			kill -0 "$nspawn" 2>/dev/null || break
			sleep 0.2
		done
	fi
	kill -9 "$nspawn" 2>/dev/null || :
	wait "$nspawn" 2>/dev/null || :
	[ $status = 0 ] || cat "$work/console" >&2
	rm -rf "$work"
	exit $status
}
trap finish EXIT

leader=
for i in $(seq 100); do
	leader=$(pgrep -P "$nspawn" | head -n 1)
	case $([ -n "$leader" ] && inside systemctl is-system-running 2>&1) in
	running | degraded) break ;;
	esac
	sleep 0.2
done
inside sh /mnt/inside.sh
