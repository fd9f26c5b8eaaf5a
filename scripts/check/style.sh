#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# style.sh - form: licence lines, a README in each folder, names of platforms, and the ratchet.
#
#   style.sh [-u] [ROOT]
#
# The ratchet (scripts/check/ratchet) holds, for each kind of remark that
# style_metrics.sh -l makes, how many there are.  A change may lower a figure,
# never raise it; -u writes the lower ones down.
set -eu
export LC_ALL=C
update=
[ "${1:-}" != -u ] || { update=1; shift; }
cd "${1:-.}"
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
: >"$t/bad"

# All files of ours: what git knows, or in an unpacked tree what is there.
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
	git ls-files -co --exclude-standard
else
	find . -type f ! -path './build/*' | sed 's|^\./||'
fi | sort >"$t/files"

# The licence stands in one of the first two lines (a script's first is #!).
grep -vE '(\.md|\.cpio|\.gz|\.json|/expect|/exports)$|^(LICENSE|\.gitignore)$|/data/|\.b64$' "$t/files" | while read -r f; do
	[ -f "$f" ] || continue
	head -n 2 "$f" | grep -q 'SPDX-License-Identifier: BSD-2-Clause' || echo "style: $f: no SPDX line"
done >>"$t/bad"

# A folder with sources says in at most 20 lines what it is.
grep -E '^(sys|platform|hostkit|vkernel|scripts|tests)/.*\.(c|S|h|sh|awk|ld)$' "$t/files" |
    grep -vE '/include/|/data/' | sed 's|/[^/]*$||' | sort -u | while read -r d; do
	if [ ! -f "$d/README.md" ]; then
		echo "style: $d: no README.md"
	elif [ "$(wc -l <"$d/README.md")" -gt 20 ]; then
		echo "style: $d/README.md: more than 20 lines"
	fi
done >>"$t/bad"

# Nothing above the machine interface names a platform.
grep -E '^sys/.*\.([chS]|tbl)$' "$t/files" | grep -vE '^sys/include/(machine/|abi/vkboot.h)' | xargs grep -nwiE 'vkernel|hostkit|pc64|qemu' /dev/null |
    sed 's/^/style: names a platform: /' >>"$t/bad"

sh scripts/check/style_metrics.sh -l >"$t/remarks"
awk '
	/ has [0-9]+ lines$/ { n["long-function"]++ }
	/ line of [0-9]+ columns$/ { n["wide-line"]++ }
	/ #if inside a function$/ { n["if-in-function"]++ }
	/ promises later work$/ { n["later-word"]++ }
	END { split("if-in-function later-word long-function wide-line", k, " ")
	    for (i = 1; i <= 4; i++) print k[i], n[k[i]] + 0 }' "$t/remarks" >"$t/now"
sed '/^#/d' scripts/check/ratchet | sort | join - "$t/now" >"$t/both"
if [ "$(wc -l <"$t/both")" != 4 ]; then
	echo "style: scripts/check/ratchet: four figures wanted" >>"$t/bad"
fi
awk '$3 > $2 { printf "style: %s: %d, and the ratchet allows %d (style_metrics.sh -l lists them)\n", $1, $3, $2 }' \
    "$t/both" >>"$t/bad"

if [ -n "$update" ]; then
	{
		sed -n '/^#/p' scripts/check/ratchet
		awk '{ print $1, ($3 < $2 ? $3 : $2) }' "$t/both"
	} >"$t/ratchet"
	cp "$t/ratchet" scripts/check/ratchet
fi
cat "$t/bad"
[ ! -s "$t/bad" ]
