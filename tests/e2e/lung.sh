#!/bin/sh
# Cox, Efron's ties, whole institutions per site, against R; pooled, and
# stratified by institution.  A site is killed after its unmask, and after its
# confirm.
. "$top_srcdir/tests/e2e/lib.sh"

deal "$vectors/lung.csv" '$1'
three_sites "$src/lung.study" --kill b@unmask
like_r efron out/result.json
grep -q 'all processes of b were killed (SIGKILL) now that its unmask' \
    out/sites/b/log || fail "b was not killed"

sed -e 's/^strata = none/strata = inst/' \
    -e '/^\[column inst\]/,/^$/s/^use = ignored/use = stratum/' \
    "$src/lung.study" >inst.study
mv out pooled
three_sites inst.study --kill c@confirm
like_r inst out/result.json
cd ..
rm -rf "$dir"
