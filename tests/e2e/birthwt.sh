#!/bin/sh
# Logistic regression in three sites, against R's glm.
. "$top_srcdir/tests/e2e/lib.sh"

deal "$vectors/birthwt.csv" 'NR'
three_sites "$src/birthwt.study"
like_r logistic out/result.json
cd ..
rm -rf "$dir"
