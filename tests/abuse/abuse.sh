#!/bin/sh
# All cases of abuse that there are: runs the programs beside it, and counts
# the cases of docs/TESTING.md of which every test has passed.
set -u

cd "$builddir/tests/abuse" || exit 1
out=abuse.out
rc=0
: >$out
for p in cases_coordinator cases_sites cases_learning cases_noise cases_crash \
    cases_dropouts cases_interleavings cases_library; do
	./$p >$out.1 2>&1 || rc=1
	cat $out.1 >>$out
done
grep -E '^\[ +(OK|FAILED|ERROR) ' $out | grep abuse_
grep -E ': (killed|[0-9]+ rounds:) ' $out
[ $rc -eq 0 ] || cat $out
n=0
for i in $(seq -w 1 30); do
	begun=$(grep -c "RUN  *\] abuse_$i" $out)
	passed=$(grep -c "OK \] abuse_$i" $out)
	if [ "$begun" -gt 0 ] && [ "$passed" -eq "$begun" ]; then
		n=$((n + 1))
	else
		echo "case $i: missing"
	fi
done
rm -f $out.1
echo "abuse: $n of 30"
exit $rc
