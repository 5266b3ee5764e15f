#!/bin/sh
# Logistic regression in three sites, against R's glm.
. "$top_srcdir/tests/e2e/lib.sh"

deal "$vectors/birthwt.csv" 'NR'
three_sites "$src/birthwt.study"
like_r logistic out/result.json

# The coordinator's audit log, checked and shown.
ctl=$builddir/ctl/consiliumctl
pub=out/coordinator/keys/coordinator.pub
log=out/coordinator/state/audit.log
"$ctl" audit verify --public-key $pub $log
"$ctl" audit show --public-key $pub $log >shown.txt
[ "$(wc -l <shown.txt)" = "$(wc -l <$log)" ] || fail "audit show: lines"
sed 's/ prev=[0-9a-f]* hash=[0-9a-f]* sig=[0-9a-f]*$//' $log |
    cmp - shown.txt || fail "audit show prints other lines"
sed '2s/20/21/' $log >altered.log
if "$ctl" audit show --public-key $pub altered.log >shown.txt 2>err.txt; then
	fail "audit show prints an altered log"
fi
[ ! -s shown.txt ] && grep -q 'altered.log:2: ' err.txt ||
    fail "audit show does not say which line was altered"
cd ..
rm -rf "$dir"
