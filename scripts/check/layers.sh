#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# layers.sh - check who includes whom, from the compiler's own .d files.
#
#   layers.sh RULES BUILD_DIR DEPFILE...
#
# The compiler must have run with -MD, so that system headers are listed.  A
# path outside the tree is "cc" when it belongs to the compiler, else "host";
# generated files are named GEN/... in the rules.
set -eu
[ $# -ge 3 ] || { sed -n '6p' "$0" >&2; exit 2; }
rules=$1
build=$2
shift 2
awk -v rules="$rules" -v gen="$build/gen/" -v top="$PWD/" '
function allow(from, to) {
	ok[from, to] = 1
}
function allow_all_of(from, below,   k, p) {
	allow(from, below)
	for (k in ok) {
		split(k, p, SUBSEP)
		if (p[1] == below)
			add[p[2]] = 1
	}
	for (k in add)
		allow(from, k)
	for (k in add)
		delete add[k]
}
BEGIN {
	while ((getline l < rules) > 0) {
		if (l ~ /^[ \t]*(#|$)/)
			continue
		n = split(l, f, /[ \t]+/)
		if (f[2] != "-")
			prefix[f[2]] = f[1]
		allow(f[1], f[1])
		for (i = 3; i <= n; i++) {
			if (f[i] ~ /^\+/)
				allow_all_of(f[1], substr(f[i], 2))
			else if (f[i] != "")
				allow(f[1], f[i])
		}
	}
}
# a/b/../c is a/c: without this a relative include walks round the check
function clean(p,   a, o, n, m, i, r) {
	if (index(p, gen) != 1 && index(p, top) == 1)
		p = substr(p, length(top) + 1)	# of a build that was told its folder from / on
	if (index(p, gen) == 1)
		return "GEN/" substr(p, length(gen) + 1)
	n = split(p, a, "/")
	m = 0
	for (i = 1; i <= n; i++) {
		if (a[i] == "." || (a[i] == "" && i > 1))
			continue
		if (a[i] == ".." && m > 0 && o[m] != "..") {
			m--
			continue
		}
		o[++m] = a[i]
	}
	r = o[1]
	for (i = 2; i <= m; i++)
		r = r "/" o[i]
	return r
}
function layer(p,   l, best, len) {
	if (p ~ /^\//)
		return p ~ /\/(gcc|clang)\// || p ~ /\/lib\/clang/ ? "cc" : "host"
	for (l in prefix)
		if (index(p, l) == 1 && length(l) > len) {
			best = prefix[l]
			len = length(l)
		}
	return best == "" ? "none" : best
}
FNR == 1 { src = "" }
{
	gsub(/\\/, " ")
	for (i = 1; i <= NF; i++) {
		if ($i ~ /:$/) {
			src = ($i ~ /\.o:$/ || FNR == 1) ? "" : "-"
			continue
		}
		if (src == "-" || $i ~ /\/flags$/)
			continue
		if (src == "") {
			src = clean($i)
			from = layer(src)
			if (from == "none" && !((src) in told)) {
				told[src] = 1
				printf "layers: %s has no layer\n", src
				bad++
			}
			continue
		}
		p = clean($i)
		to = layer(p)
		if (!((from, to) in ok) && !((src, p) in told)) {
			told[src, p] = 1
			bad++
			printf "layers: %s (%s) reads %s (%s)\n", src, from, p, to
		}
	}
}
END { exit bad > 0 }' "$@"
