#!/bin/sh
# The manual pages are clean, name every keyword and no other, and their
# examples are the files that tests parse.
set -eu
cd "$top_srcdir"
failed=0

fail() {
	echo "$*" >&2
	failed=1
}

for page in man/*.[0-9]; do
	mandoc -Tlint -W warning "$page" || fail "$page: not clean"
done

# keywords PAGE SOURCE: what the source's tables of keys hold stands in the
# page as ".It Ic key No =", and the other way round.
keywords() {
	grep -v 'INI_[A-Z_]*ARG' "$2" |
	    sed -n -e 's/^	{ "\([a-z-]*\)", .*/\1/p' \
		-e 's/^	TEXT("\([a-z-]*\)", .*/\1/p' |
	    LC_ALL=C sort >"$tmp/source"
	sed -n 's/^\.It Ic \([a-z-]*\) No = .*/\1/p' "$1" |
	    LC_ALL=C sort >"$tmp/page"
	diff -u "$tmp/source" "$tmp/page" >&2 || fail "$1: not the keys of $2"
}

# example PAGE FILE: the page's example is the file.
example() {
	sed -n '/^\.Sh EXAMPLES/,/^\.Ed/p' "$1" |
	    sed -e '1,/^\.Bd/d' -e '/^\.Ed/d' -e 's/\\e/\\/g' >"$tmp/example"
	diff -u "$2" "$tmp/example" >&2 || fail "$1: its example is not $2"
}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
keywords man/consiliumd.conf.5 daemon/config.c
keywords man/consilium-coordinator.conf.5 coordinator/config.c
keywords man/consilium-study.5 study/study.c
example man/consiliumd.conf.5 examples/consiliumd.conf
example man/consilium-coordinator.conf.5 examples/consilium-coordinator.conf
example man/consilium-study.5 examples/readmission.study
# The lines of the audit log are those of the table, and no others; what the
# officer decides is named in crypto/approval.c.
cat daemon/*.c coordinator/*.c crypto/*.c | tr -s ' \t\n' ' ' |
    grep -oE 'audit_(event|add)\( ?[^,]*, ?(err, ?)?"[a-z-]*"' |
    sed 's/.*"\(.*\)"/\1/' >"$tmp/written"
sed -n 's/^#define HAND_OVER "\([a-z]*\)".*/\1/p' crypto/audit.c >>"$tmp/written"
sed -n '/^approval_verdict_name/,/^	}/s/.*"\([a-z]*\)".*/\1/p' \
    crypto/approval.c >>"$tmp/written"
LC_ALL=C sort -u -o "$tmp/written" "$tmp/written"
sed -n '/^| line | log/,/^$/s/^| \(`[^|]*\) | [SC].*/\1/p' docs/AUTHORITY.md |
    tr ', ' '\n\n' | tr -d '`' | sed '/^$/d' | LC_ALL=C sort >"$tmp/table"
[ "$(grep -c . "$tmp/table")" -gt 20 ] || fail "no table in docs/AUTHORITY.md"
diff -u "$tmp/written" "$tmp/table" >&2 ||
    fail "docs/AUTHORITY.md: not the lines of the audit log"
exit $failed
