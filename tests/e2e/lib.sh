# What the end-to-end tests share.  Each works in a folder of its own, which
# stays when the test fails.
set -eu

me=$(basename "$0" .sh)
dir=$builddir/tests/e2e/$me.tmp
src=$top_srcdir/tests/e2e
vectors=$top_srcdir/tests/vectors/pooled
local=$builddir/ctl/consilium-local

rm -rf "$dir"
mkdir -p "$dir"
cd "$dir"

fail() {
	echo "FAIL: $*"
	exit 1
}

# head_of NAME SECONDS: how the study begins, and how long a phase waits
head_of() {
	printf '[study]\nname = %s\ntitle = A test\npurpose = test\n' "$1"
	printf 'legal-basis = none needed\nethics = none needed\n'
	printf 'contact = nobody\nexpires = 2099-12-31\n\n[rounds]\n'
	for phase in ready-wait share upload confirm unmask; do
		echo "$phase = $2"
	done
	echo
}

# deal FILE.csv: into site-a.csv, site-b.csv and site-c.csv, where $2 is an
# awk expression of the site's number from 0.
deal() {
	for i in 0 1 2; do
		awk -F, -v site=$i "NR == 1 || ($2) % 3 == site" "$1" \
		    >"site-$(echo abc | cut -c$((i + 1))).csv"
	done
}

# start STUDY OPTION ...: run it on the dealt data, and go on when it is through
# and the consortium stays up; stop ends that
start() {
	study=$1
	shift
	"$local" --study "$study" --site a=site-a.csv --site b=site-b.csv \
	    --site c=site-c.csv --keep-running --out out "$@" >run.txt \
	    2>run.err &
	pid=$!
	trap 'kill $pid 2>/dev/null || :' EXIT
	until grep -q '^still running' run.err; do
		kill -0 $pid 2>/dev/null || {
			cat run.txt run.err
			fail "no consortium that stays up"
		}
		sleep 0.1
	done
}

stop() {
	kill $pid
	wait $pid || fail "the consortium ended with status $?"
	trap - EXIT
}

# three_sites STUDY OPTION ...: run it on the dealt data
three_sites() {
	study=$1
	shift
	"$local" --study "$study" --site a=site-a.csv --site b=site-b.csv \
	    --site c=site-c.csv --out out "$@" >run.txt 2>run.err || {
		cat run.txt run.err
		fail "consilium-local said no"
	}
	cat run.err run.txt
	tail -n 1 run.txt | grep -q '^max |federated - pooled| / se = ' ||
	    fail "the last line is another"
}

# numbers KEY FILE.json: of the lines with that key, in order
numbers() {
	sed -n "s/^ *\"$1\": \([-+.e0-9]*\),*\$/\1/p" "$2"
}

# near EXPECTED GOT: two files with as many numbers, alike to 1e-9
near() {
	paste -d' ' "$1" "$2" | awk '
	{ d = $1 - $2; if (d < 0) d = -d; s = $1 < 0 ? -$1 : $1 }
	{ if (s < 0.01) s = 0.01 }
	NF != 2 || !(d <= 1e-9 * s) { bad++ }
	d / s > worst { worst = d / s }
	END { printf "%d numbers, max difference %.1e\n", NR, worst
	    exit NR == 0 || bad > 0 }' || fail "$1 is not what R has"
}

# like_r FIT out/result.json: every estimate and se within 1e-9 of R's
# standard errors; terms in R's order.
like_r() {
	awk -F'[,:]' -v fit="$1" '
	function number(s) { gsub(/[ "]/, "", s); return s + 0 }
	FILENAME ~ /figures.csv$/ {
		split($0, f, ",")
		if (f[1] == fit) { n++; b[n] = f[3] + 0; se[n] = f[4] + 0 }
		next
	}
	/"terms"/ { inside = 1 }
	inside && /"estimate"/ { k++; eb = number($2) - b[k] }
	inside && /"se"/ {
		es = number($2) - se[k]
		if (eb < 0) eb = -eb
		if (es < 0) es = -es
		if (!(eb <= 1e-9 * se[k]) || !(es <= 1e-9 * se[k])) bad++
		if (eb / se[k] > worst) worst = eb / se[k]
	}
	inside && /^  \]/ { inside = 0 }
	END {
		printf "max |federated - R| / se = %.1e\n", worst
		exit n == 0 || k != n || bad > 0
	}' "$vectors/figures.csv" "$2" || fail "$2 is not what R has ($1)"
}
