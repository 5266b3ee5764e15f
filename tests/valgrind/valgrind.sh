#!/bin/sh
# Test programs, and one study from the records to the result, under valgrind's
# memcheck.  The study has a build of its own: its processes are not locked in,
# as valgrind makes system calls that they may not.
#
# PIECES: which, by folder of tests, and "run" for the study (default: all; one
# piece takes minutes, all of them an hour); BUILD: a folder to build in and to
# keep.
set -eu

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
: "${BUILD:=$dir/build}"
: "${PIECES:=anonymize board common coordinator crypto ctl daemon fuzz model \
    privsep rpc study run}"
cd "$builddir"
make -s all

# What OpenBLAS has for this processor may be newer than valgrind.
export OPENBLAS_CORETYPE=Haswell OPENBLAS_NUM_THREADS=1
memcheck() {
	valgrind -q --error-exitcode=99 --leak-check=full \
	    --errors-for-leak-kinds=definite --show-leak-kinds=definite \
	    --num-callers=30 \
	    --soname-synonyms=somalloc=nouserintercepts \
	    --suppressions="$top_srcdir/tests/valgrind/suppressions" "$@"
}

# Not those that start or lock in daemons, or are races of processes.
bad=0
for piece in $PIECES; do
	[ "$piece" != run ] || continue
	tests=$(cd "$top_srcdir" && ls tests/"$piece"/*_*.c |
	    sed -n 's/\.c$//; /\/\(test\|fuzz\)_/p' |
	    grep -vE 'test_(processes|door|lock|start|parents)$') || tests=
	make -s $tests
	n=0 failed=0 proved=0
	for t in $tests; do
		n=$((n + 1)) began=$(date +%s)
		srcdir=$top_srcdir memcheck "./$t" >"$dir/out" 2>&1 || {
			echo "$t: failed"
			grep -E '^==|FAILED|ERROR' "$dir/out" | head -n 60
			failed=$((failed + 1))
		}
		now=$(grep -c '^\[       OK \]' "$dir/out") || :
		grep ' inputs$' "$dir/out" || : # a fuzzer's
		proved=$((proved + now))
		echo "$t: $now tests, $(($(date +%s) - began)) s"
	done
	echo "valgrind: $piece: $n test programs, $proved tests," \
	    "$failed programs with errors"
	bad=$((bad + failed))
done
case " $PIECES " in
*" run "*) ;;
*) exit $((bad > 0)) ;;
esac

# Every process of every daemon.
mkdir -p "$BUILD"
cd "$BUILD"
[ -e Makefile ] || "$top_srcdir/configure" -q CC="${CC:-gcc}" \
    CPPFLAGS=-DCONSILIUM_VALGRIND CFLAGS='-g -O1'
make -s
cd "$dir"
for i in 0 1 2; do
	awk -F, -v i=$i 'NR == 1 || NR % 3 == i' \
	    "$top_srcdir/tests/vectors/pooled/lung.csv" >"$i.csv"
done
sed -E 's/^(ready-wait|share|upload|confirm|unmask) = .*/\1 = 300/' \
    "$top_srcdir/tests/e2e/lung.study" >lung.study
for p in "$BUILD"/daemon/gate "$BUILD"/daemon/uplink "$BUILD"/daemon/control \
    "$BUILD"/daemon/reader "$BUILD"/daemon/trainer "$BUILD"/coordinator/rounds \
    "$BUILD"/coordinator/listener "$BUILD"/board/board; do
	mkdir -p libexec
	{
		echo '#!/bin/sh'
		echo "exec $(command -v valgrind) -q --leak-check=full" \
		    "--show-leak-kinds=definite --num-callers=30" \
		    "--suppressions='$top_srcdir/tests/valgrind/suppressions'" \
		    "--log-file='$dir/log.${p##*/}.%p' '$p' \"\$@\""
	} >"libexec/${p##*/}"
	chmod +x "libexec/${p##*/}"
done
CONSILIUM_LIBEXEC=$dir/libexec "$BUILD/ctl/consilium-local" \
    --study lung.study --site a=0.csv --site b=1.csv --site c=2.csv \
    --out out >local.txt 2>&1 || {
	tail -n 30 local.txt
	bad=$((bad + 1))
}
cat log.* | grep -E '^==' && bad=$((bad + 1))
echo "valgrind: a study of three sites, $(ls log.* | wc -l) processes," \
    "$(cat log.* | grep -c '^==.* \(Invalid\|Conditional\|Use of\|definitely\|Syscall\)') errors"
[ $bad = 0 ]
