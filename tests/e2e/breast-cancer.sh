#!/bin/sh
# The demonstration: four hospitals, one of which is killed right after its
# upload has left.  Its input counts, it comes back and goes on, and nothing
# that names a patient is in any log, report or result.
. "$top_srcdir/tests/e2e/lib.sh"

data=$top_srcdir/examples/breast-cancer
hospitals=$builddir/examples/breast-cancer/hospitals
mkdir in
"$hospitals" "$data/patients.csv" in
"$hospitals" --identifiers "$data/patients.csv" >identifiers
"$local" --study "$data/rfs.study" \
    --site gbsg=in/gbsg.csv --site rotterdam-a=in/rotterdam-a.csv \
    --site rotterdam-b=in/rotterdam-b.csv \
    --site rotterdam-c=in/rotterdam-c.csv \
    --kill gbsg@upload --out out >run.txt 2>run.err || {
	cat run.txt run.err
	fail "consilium-local said no"
}
cat run.err run.txt
tail -n 1 run.txt | grep -Eq \
    '^max \|federated - pooled\| / se = [0-9]\.[0-9]e-[0-9]+$' ||
    fail "the last line is another"

# What the site's log proves, in this order.
awk '
BEGIN {
	want[1] = "all processes of gbsg were killed (SIGKILL) now that its " \
	    "upload"
	want[2] = "is complete with 4 inputs; starting gbsg again"
	want[3] = "gbsg takes part again"
	want[4] = "gbsg has the study'\''s result, equal to all others"
	next_one = 1
}
next_one in want && index($0, want[next_one]) { next_one++ }
END {
	if (next_one in want) {
		print "not in its place: " want[next_one]
		exit 1
	}
}' out/sites/gbsg/log || fail "gbsg's log does not prove it"

test -s identifiers || fail "there are no planted identifiers"
if grep -raFl -f identifiers out; then
	fail "a planted identifier is in these files"
fi
for name in gbsg rotterdam-a rotterdam-b rotterdam-c; do
	for file in report.json report.html log result.json; do
		test -s "out/sites/$name/$file" || fail "no $name/$file"
	done
done

# The reports are their sites', to be checked without a daemon.
key() { # of a site, as the root's list of members has it
	sed -n "/^\[site $1\]/,/^\[/s/^key = //p" out/root/members
}
ctl=$builddir/ctl/consiliumctl
"$ctl" report verify --public-key "$(key gbsg)" out/sites/gbsg ||
    fail "gbsg's report is not gbsg's"
if "$ctl" report verify --public-key "$(key rotterdam-a)" out/sites/gbsg; then
	fail "gbsg's report is rotterdam-a's"
fi
cd ..
rm -rf "$dir"
