#!/bin/sh
# Recoding of hospital-like rows, drawn with a fixed seed: seconds and memory of
# the whole process, and how both grow with the rows.  HOSPITAL_ROWS names other
# numbers of rows; 10^7 take some minutes and 3 GB.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Nine quasi-identifiers; depths 6, 5, 4, 3, 4, 3, 3, 3, 2: 77,760 combinations.
# column NAME VALUES WIDTH...: WIDTH values of a level are one of the next.
column() {
	awk -v name="$1" -v n="$2" -v widths="$3" 'BEGIN {
		printf "[column %s]\ntype = integer\nrange = 0..%d\n", name, n - 1
		print "privacy = quasi-identifier\nlevel = 0"
		m = split(widths, w, " ")
		if (m > 0)
			printf "[hierarchy %s]\n", name
		for (i = 1; i <= m; i++) {
			printf "level-%d = cut", i
			for (v = 0; v < n; v += w[i])
				if (v < n - 1)
					printf " %d", v
			print " " n - 1
		}
	}'
}

{
	cat <<-END
		[study]
		name = hospital
		title = drawn rows
		purpose = a benchmark
		legal-basis = nobody is in it
		ethics = none
		contact = nobody
		expires = 2099-12-31
		[model]
		kind = logistic
		outcome = outcome
		[privacy]
		k = 11
		suppression-limit = 0.02
		cohort = fixed
		rows-per-site = 16777216
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
	column age 100 "5 10 20 40"
	column postcode 1000 "10 100 500"
	column diagnosis 400 "20 100"
	column sex 4 "2"
	column month 72 "12 36"
	column stay 60 "7"
	column ward 24 "6"
	column insurance 12 "3"
	column emergency 2 ""
} >"$work/study"

# figures NAME ROWS START END: of what was run last.
figures() {
	awk -v name="$1" -v rows="$2" -v start="$3" -v end="$4" '/^processor/ {
		printf "anonymize_hosp%s_s %.2f\n", name, end - start
		printf "anonymize_hosp%s_cpu_s %.2f\n", name, $2 / 1000
		printf "anonymize_hosp%s_mb %.0f\n", name, $5
		printf "anonymize_hosp%s_a_row %.1f us of the processor, " \
		    "%.0f bytes\n", name, 1000 * $2 / rows, 1048576 * $5 / rows
	}' "$work/out"
}

for rows in ${HOSPITAL_ROWS:-10000 100000 200000 1000000}; do
	awk -v rows="$rows" 'BEGIN {
		srand(20261123)
		print "feature,outcome,age,postcode,diagnosis,sex,month," \
		    "stay,ward,insurance,emergency"
		for (i = 0; i < rows; i++) {
			age = int(100 * (1 - rand() * rand()))
			code = int(1000 * rand() * rand())
			d = int(400 * rand() * rand() * rand())
			stay = int(60 * rand() * rand() * rand() * rand())
			printf "%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d\n", 7 * rand(),
			    2 * rand(), age, code, d, rand() < 0.01 ? 2 : 2 * rand(),
			    72 * rand(), stay, d / 17, 12 * rand() * rand(),
			    rand() < 0.3
		}
	}' >"$work/rows.csv"
	start=$(date +%s.%N)
	"$builddir/bench/anonymize" "$work/study" "$work/rows.csv" "$work" \
	    >"$work/out"
	end=$(date +%s.%N)
	sed '/^levels/d; /^processor/d' "$work/out"
	figures "$((rows / 1000))k_k11_s2" "$rows" "$start" "$end"

	# What the reader does at these levels, all columns in the table.
	awk 'NR == FNR && /^levels/ { split($0, level, " ") }
	    NR == FNR { next }
	    /^privacy = quasi-identifier/ {
		print
		print level[++n + 1] == "top" ? "use = ignored" : "use = feature"
		next
	    }
	    n > 0 && /^level = / { print "level = " level[n + 1]; next }
	    { print }' "$work/out" "$work/study" >"$work/levels"
	start=$(date +%s.%N)
	"$builddir/bench/anonymize" prepare "$work/levels" "$work/rows.csv" \
	    "$work" >"$work/out"
	end=$(date +%s.%N)
	figures "$((rows / 1000))k_prepare" "$rows" "$start" "$end"
	rm "$work/rows.csv"
done
