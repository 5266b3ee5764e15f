#!/bin/sh
# The census as anonymization is compared on it: our optimal recoding beside
# what ARX 3.9.2 chose.  Wants the folder with adult.csv and its hierarchies
# (adult_hierarchy_*.csv, as ARX ships them) in ADULT_DIR or as an argument.
set -eu

dir=${1:-${ADULT_DIR:-}}
if [ -z "$dir" ]; then
	echo "adult: not measured, ADULT_DIR names no folder with adult.csv"
	exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ctl="$builddir/ctl/consiliumctl"
columns="sex age race marital-status education native-country workclass
    occupation salary-class"

# A study needs a model: two columns that stand for nothing.
awk '{ sub(/\r$/, "") }
    NR == 1 { print $0 ";feature;outcome" }
    NR > 1 { print $0 ";" NR % 7 ";" NR % 2 }' "$dir/adult.csv" \
    >"$work/adult.csv"

# study K LIMIT COLUMN RULE: COLUMN, if any, is sensitive and has the rule.
study() {
	cat <<-END
		[study]
		name = adult
		title = the census
		purpose = a benchmark
		legal-basis = public data
		ethics = none
		contact = nobody
		expires = 2099-12-31
		[model]
		kind = logistic
		outcome = outcome
		[privacy]
		k = $1
		suppression-limit = $2
		cohort = fixed
		population = 317000000
		[column feature]
		type = integer
		range = 0..6
		privacy = none
		use = feature
		[column outcome]
		type = levels
		levels = 0, 1
		privacy = none
		use = outcome
	END
	for c in $columns; do
		"$ctl" study hierarchy --name "$c" \
		    "$dir/adult_hierarchy_$c.csv" >"$work/column"
		if [ "$c" = "$3" ]; then
			sed "/^\[hierarchy/,\$d
			    s/^privacy = .*/privacy = sensitive/
			    s/^level = 0/$4/" "$work/column"
		else
			cat "$work/column"
		fi
	done
}

# run NAME K LIMIT COLUMN RULE [LOSS SUPPRESSED CLASSES NODE]: as ARX chose, if
# that is known.
run() {
	study "$2" "$3" "$4" "$5" >"$work/study"
	best=
	cpu=
	for i in 1 2 3 4 5; do
		/usr/bin/env TIMEFORMAT=%R bash -c 'time "$@"' bench \
		    "$builddir/bench/anonymize" "$work/study" \
		    "$work/adult.csv" "$work" >"$work/ran" 2>"$work/time" || {
			cat "$work/time"
			exit 1
		}
		best="$best $(tail -n 1 "$work/time")"
		cpu="$cpu $(sed -n 's/^processor \([0-9]*\).*/\1/p' "$work/ran")"
		peak=$(sed -n 's/.* peak \(.*\) MB/\1/p' "$work/ran")
	done
	"$ctl" study recode --csv "$work/adult.csv" "$work/study" >"$work/out"
	awk -v name="$1" -v times="$best" -v cpu="$cpu" -v peak="$peak" -v loss="${6:-}" -v suppressed="${7:-}" \
	    -v classes="${8:-}" -v node="${9:-}" '
	    function least(list,   t, i, m) {
		split(list, t, " ")
		m = t[1]
		for (i in t)
			if (t[i] + 0 < m + 0)
				m = t[i]
		return m
	    }
	    /^# best:/ {
		l = $4; s = $5
		sub(",", "", l)
		for (i = 1; i <= NF; i++)
			if ($i == "classes")
				c = $(i - 1)
	    }
	    /^\[column/ { n++ }
	    /^level = / { levels[n] = $3 }
	    END {
		best = least(times)
		for (i = 1; i <= n; i++)
			ours = ours (i > 1 ? "," : "") levels[i]
		d = l - loss
		same = ours == node && s == suppressed && c == classes && \
		    d < 1e-9 && d > -1e-9
		printf "anonymize_adult_%s_ms %.0f\n", name, 1000 * best
		printf "anonymize_adult_%s_cpu_ms %.0f\n", name, least(cpu)
		printf "anonymize_adult_%s_mb %.1f\n", name, peak
		printf "anonymize_adult_%s_score %s\n", name, l
		printf "anonymize_adult_%s_node [%s], %d rows suppressed, " \
		    "%d classes%s\n", name, ours, s, c, node == "" ? "" : \
		    same ? ": equal to ARX" : ": NOT equal to ARX"
		exit node != "" && !same
	    }' "$work/out"
}

run k5_s0 5 0 "" "" 0.5731509655590044 0 24 0,top,top,1,top,top,top,1,0
grep -e "^# before" -e "alone among" "$work/out"
for figure in "risk 1.0000" "average 0.6466" "0.09: 91.67%" "alone 51.43%" \
    "Pitman 3.89%" "Zayatz 26.46%"; do
	grep -q "$figure" "$work/out" || {
		echo "expected $figure, as ARX says"
		exit 1
	}
done

# Local recoding, up to the tops; nothing is suppressed.
local_loss() {
	study "$2" 0 "" "" | sed 's/^cohort = .*/&\nrecoding = local/
	    s/^level = 0/level = top/' >"$work/study"
	"$builddir/bench/anonymize" local "$work/study" "$work/adult.csv" \
	    >"$work/ran"
	awk -v name="$1" -v most="$3" '
	    /^mean loss/ { loss = $3; sub(",", "", loss) }
	    /^processor/ { cpu = $2 }
	    END {
		printf "anonymize_adult_%s_local_loss %s\n", name, loss
		printf "anonymize_adult_%s_local_cpu_ms %s\n", name, cpu
		exit !(loss + 0 <= most + 0)
	    }' "$work/ran"
}

local_loss k5 5 0.0540
local_loss k11 11 0.0862
run k5_s2 5 0.02 "" "" 0.3137130352819242 506 222 0,3,0,top,2,1,1,top,0
run k5_s100 5 1 "" ""
run k11_s0 11 0 "" "" 0.5731509655590044 0 24 0,top,top,1,top,top,top,1,0
run occ_k5_l2_s2 5 0.02 occupation "diversity = distinct 2" \
    0.2464771552496603 506 222 0,3,0,top,2,1,1,0
run occ_k5_t02_s2 5 0.02 occupation "closeness = equal 0.2" \
    0.8150031862123897 235 6 top,top,top,1,top,1,top,top
