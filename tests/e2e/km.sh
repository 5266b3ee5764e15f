#!/bin/sh
# Survival by groups in three sites against R: survfit(Surv(time, event) ~ sex)
# and survdiff() with rho = 0 and 1 on the same 212 rows.
. "$top_srcdir/tests/e2e/lib.sh"

has() {
	grep -q "$1" "$2" || fail "$2 has no $1"
}

deal "$vectors/lung.csv" 'NR'
three_sites "$src/lung-sex.study"
has '"name": "sex=1"' out/result.json
has '"median": 283' out/result.json
has '"median_ci_low": 223' out/result.json
has '"median_ci_high": 353' out/result.json
has '"rmst": 440.1065195671' out/result.json
has '"rmst_se": 26.6947259659' out/result.json
has '"band_critical": 1.358' out/result.json
has '"band_low": 0' out/result.json
has '"hazard_ci_low": 0' out/result.json
has "^(Band: Hall and Wellner's" out/result.txt
has '"chi2": 9.460687080990' out/result.json
has '"chi2": 11.80130022446' out/result.json
has '^Log-rank test  *9.4607 on 1 df' out/result.txt
rm -r out

# With a smallest step, and the institutions as strata of the test.
sed -e 's/^smallest-risk-set-step = 1$/smallest-risk-set-step = 5/' \
    -e 's/^groups = sex$/groups = sex\nstrata = ecog/' \
    -e '/^\[column ecog\]/,/^$/s/type = integer/type = levels\nlevels = 0, 1, 2, 3\nuse = stratum/' \
    "$src/lung-sex.study" >step.study
three_sites step.study
has '^Warning: left out: 2 groups' out/result.txt
has '^Warning: times are known by intervals' out/result.txt
has '(stratified)' out/result.txt
cd ..
rm -rf "$dir"
