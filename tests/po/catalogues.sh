#!/bin/sh
# Every text of the sources is in every catalogue, translated, with the
# placeholders that the program fills in; and nothing else is.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

fail() {
	echo "catalogues: $*" >&2
	exit 1
}

# In a file: what make says while it makes its own Makefile anew is no text.
make -s -C "$builddir" po/consilium.pot >"$dir/said" ||
    fail "$(cat "$dir/said")"
cp "$builddir/po/consilium.pot" "$dir/sources.pot"
[ "$(grep -c '^msgid' "$dir/sources.pot")" -gt 150 ] ||
    fail "hardly any texts in the sources"
# No file with a marked text is left out of the list.
for file in "$top_srcdir"/anonymize/*.c "$top_srcdir"/daemon/*.c; do
	if grep -Eq '(^|[^A-Za-z_])(_|N_|C_|P_)\("' "$file"; then
		make -s -C "$builddir" print-translated |
		    grep -q "$(basename "$file")" ||
		    fail "$file has texts and is not in po/local.mk"
	fi
done
for po in "$top_srcdir"/po/*.po; do
	msgfmt --check -o /dev/null "$po" 2>"$dir/err" ||
	    fail "$(cat "$dir/err")"
	msgcmp "$po" "$dir/sources.pot" 2>"$dir/err" ||
	    fail "$po: run make update-po, and translate: $(cat "$dir/err")"
	msgattrib --only-fuzzy "$po" >"$dir/fuzzy"
	[ ! -s "$dir/fuzzy" ] || fail "$po has fuzzy translations"
	msgattrib --only-obsolete "$po" >"$dir/obsolete"
	[ ! -s "$dir/obsolete" ] || fail "$po has obsolete translations"
	grep -q "^\"Language: $(basename "$po" .po)\\\\n\"" "$po" ||
	    fail "$po: names another language"
done

# A text that is missing, or has other placeholders, must be found.
po=$top_srcdir/po/zh_CN.po
sed 's/^msgstr "1\/%\.1f"/msgstr "1\/%s"/' "$po" >"$dir/bad.po"
cmp -s "$po" "$dir/bad.po" && fail "nothing was altered"
if msgfmt --check -o /dev/null "$dir/bad.po" 2>/dev/null; then
	fail "a wrong placeholder was not found"
fi
sed '/^msgid "nobody"/,/^msgstr/d' "$po" >"$dir/less.po"
if msgcmp "$dir/less.po" "$dir/sources.pot" 2>/dev/null; then
	fail "a missing text was not found"
fi
