#!/bin/sh
# coverage.sh INFO: lines and branches of each file and folder in what lcov has
# captured, and which of the bars are met.  Exit status 1 if one is not.
set -eu

awk '
function percent(hit, n) {
	return n == 0 ? "     -" : sprintf("%5.1f%%", 100 * hit / n)
}
function row(name, k) {
	printf "%-32s %s %6d/%-6d %s %6d/%d\n", name,
	    percent(lh[k], lf[k]), lh[k], lf[k],
	    percent(bh[k], bf[k]), bh[k], bf[k]
}
function add(k) {
	lf[k] += n["LF"]; lh[k] += n["LH"]
	bf[k] += n["BRF"]; bh[k] += n["BRH"]
}
/^SF:/ {
	split("", n)
	file = substr($0, 4)
	sub(root "/", "", file)
}
/^DA:/ {
	split($0, a, ",")
	n["LF"]++
	n["LH"] += a[2] > 0
}
/^BRDA:/ {
	split($0, a, ",")
	n["BRF"]++
	n["BRH"] += a[4] > 0 # "-" where the line was never reached
}
/^end_of_record/ {
	folder = file
	sub("/.*", "", folder)
	if (file ~ "^daemon/gate")
		folder = "daemon/gate"
	files[++n_files] = file
	if (!(folder in lf))
		folders[++n_folders] = folder
	add(file); add(folder); add("all")
}
END {
	printf "%-32s %6s %13s %6s %13s\n", "", "lines", "", "branches", ""
	for (i = 1; i <= n_files; i++)
		row(files[i], files[i])
	print ""
	for (i = 1; i <= n_folders; i++)
		row(folders[i], folders[i])
	row("all", "all")
	print ""
	for (i = 1; i <= n_folders; i++) {
		k = folders[i]
		bar = k == "crypto" || k == "daemon/gate" ? 95 : 85
		met = bf[k] == 0 || 100 * bh[k] >= bar * bf[k]
		printf "%-12s branches %s, the bar is %d%%: %s\n", k,
		    percent(bh[k], bf[k]), bar, met ? "met" : "NOT MET"
		missed += !met
	}
	printf "coverage: %d of %d bars are met\n", n_folders - missed, n_folders
	exit missed != 0
}' root="$(cd "$top_srcdir" && pwd -P)" "$1"
