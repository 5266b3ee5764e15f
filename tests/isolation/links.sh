#!/bin/sh
# Who links what, and so can call it at all: the programs as they were built,
# against one table.
set -eu
cd "$builddir"
failed=0

programs="daemon/consiliumd coordinator/consilium-coordinator daemon/gate
daemon/uplink daemon/control daemon/reader daemon/trainer board/board
coordinator/listener coordinator/rounds"

# only LIBRARY PROGRAM...: these link it, and nobody else does.
only() {
	library=$1
	shift
	printf '%-15s' "$library"
	for p in $programs; do
		name=${p##*/}
		links=no
		! readelf -dW "$p" | grep -q "(NEEDED).*\[$library\.so" || links=yes
		case " $* " in
		*" $name "*) may=yes ;;
		*) may=no ;;
		esac
		[ $links = no ] || printf ' %s' "$name"
		if [ $links != $may ]; then
			printf ' <- WRONG: %s: %s, expected %s' "$name" $links $may
			failed=1
		fi
	done
	echo
}

only libgrpc uplink listener
only libopenblas trainer
only libsqlite3 gate rounds
only libprotobuf-c uplink listener control
only libmicrohttpd board
only libsystemd consiliumd consilium-coordinator
only libcrypto consiliumd consilium-coordinator gate rounds uplink listener
only libseccomp gate uplink control reader trainer board listener rounds
only libssl
only libcurl

# Nor does it come with another library.
for p in $programs; do
	case $p in
	*/uplink | */listener) ;;
	*)
		if ldd "$p" | grep -E 'libgrpc|libgpr'; then
			echo "$p: gRPC comes with another library"
			failed=1
		fi
		;;
	esac
	[ "$p" != daemon/trainer ] || continue
	if ldd "$p" | grep -E 'blas|lapack'; then
		echo "$p: BLAS comes with another library"
		failed=1
	fi
done

# Only parents call what starts a program.
for p in $programs; do
	case $p in
	*/consiliumd | */consilium-coordinator) continue ;;
	esac
	if readelf --dyn-syms -W "$p" |
	    grep -E 'UND (v?fork|exec[lv]p?e?|fexecve|posix_spawnp?|popen|system)@'; then
		echo "$p: could start a program"
		failed=1
	fi
done
exit $failed
