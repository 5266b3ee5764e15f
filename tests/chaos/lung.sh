# To be read by a test in a folder of its own: the records of three sites (0.csv,
# 1.csv, 2.csv), the study $study, and what it comes to undisturbed.
for i in 0 1 2; do
	awk -F, -v i=$i 'NR == 1 || NR % 3 == i' \
	    "$top_srcdir/tests/vectors/pooled/lung.csv" >"$i.csv"
done
study=$top_srcdir/tests/e2e/lung.study

# undisturbed OUT [MORE SITES ...]: of $study, by itself
undisturbed() {
	out=$1
	shift
	"$builddir/ctl/consilium-local" --study "$study" --site a=0.csv \
	    --site b=1.csv --site c=2.csv "$@" --out "$out" \
	    >local.txt 2>&1 || {
		cat local.txt
		exit 1
	}
}

# A result without what differs between equal studies: name, time, and the
# numbers of the rounds, as some may have been aborted and tried again.
plain() {
	grep -vE '"(study|study_digest|manifest_digest|time|finished|round)":' \
	    "$1" | sed 's/lung[0-9]*\(-sex\)*/lung/g'
}
