#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# style_metrics.sh - the shape of our C sources, as figures.
#
#   style_metrics.sh [-l] [FOLDER...]
#
# One row for each folder: files and their lengths, functions and theirs, share
# of comment lines, comment blocks in 100 lines of code, assertions a function,
# #if lines in 1000 lines of code, includes a file, gotos in 1000 lines.
#   -l  list instead what a reader must look at: functions over 70 lines, lines
#       over 110 columns, #if inside a function, words that promise later work
#
# It relies on the house form: a function's name stands in column 0 before "(",
# its body is between "{" and "}" in column 0.  Medians are nearest-rank.
set -eu
export LC_ALL=C
list=
[ "${1:-}" != -l ] || { list=1; shift; }
[ $# -gt 0 ] || set -- sys platform hostkit vkernel tests

[ -n "$list" ] || printf '%-20s %5s %6s %5s %5s %5s %5s %4s %4s %4s %4s %5s %6s %6s %5s %5s %5s\n' folder files lines \
    f_med f_p90 f_max funcs med p90 max '>70' com% blocks assert '#if' incs goto
for folder; do
	[ -d "$folder" ] || continue
	find "$folder" -type f -name '*.[ch]' | sort | tr '\n' '\0' | xargs -0 -r awk -v list="$list" -v folder="$folder" '
	function columns(s,   i, c, n) {
		for (i = 1; i <= length(s); i++) {
			c = substr(s, i, 1)
			n = c == "\t" ? n + 8 - n % 8 : n + 1
		}
		return n
	}
	function tell(what) {
		if (list)
			printf "%s:%d: %s\n", FILENAME, FNR, what
	}
	function at(v, n, q,   i, j, t, k) {	# nearest rank of the sorted v[1..n]
		k = int(q * n)
		if (k < q * n)
			k++
		return n == 0 ? 0 : v[k < 1 ? 1 : k]
	}
	function sort(v, n,   i, j, t) {
		for (i = 2; i <= n; i++) {
			t = v[i]
			for (j = i - 1; j > 0 && v[j] > t; j--)
				v[j + 1] = v[j]
			v[j + 1] = t
		}
	}
	FNR == 1 {
		if (nfile > 0)
			flen[nfile] = last
		nfile++
		in_comment = in_func = was_comment = 0
		name = ""
	}
	{
		last = FNR
		lines++
		s = $0
		# what is comment, what is code; strings are short and rarely hold /*
		code = s
		if (in_comment) {
			if (k = index(code, "*/")) {
				code = substr(code, k + 2)
				in_comment = 0
			} else
				code = ""
			is_comment = 1
		} else
			is_comment = 0
		gsub(/"([^"\\]|\\.)*"/, "\"\"", code)
		while (k = index(code, "/*")) {
			is_comment = 1
			rest = substr(code, k + 2)
			if (e = index(rest, "*/"))
				code = substr(code, 1, k - 1) substr(rest, e + 2)
			else {
				code = substr(code, 1, k - 1)
				in_comment = 1
			}
		}
		if (k = index(code, "//")) {
			code = substr(code, 1, k - 1)
			is_comment = 1
		}
		if (is_comment)
			comments++
		if (is_comment && !was_comment)
			blocks++
		was_comment = is_comment && code !~ /[^ \t]/
		if (code ~ /[^ \t]/)
			codes++

		if (columns(s) > 110)
			tell("line of " columns(s) " columns")
		if (s ~ /(^|[^A-Za-z_])(TODO|FIXME|XXX|HACK)([^A-Za-z_]|$)/)
			tell("a word that promises later work")
		if (code ~ /(^|[^A-Za-z0-9_])(ASSERT|SLOW_ASSERT|assert|_Static_assert|token_assert_held)[ \t]*\(/)
			asserts++
		if (code ~ /^[ \t]*#[ \t]*(if|ifdef|ifndef|elif)/) {
			ifs++
			if (in_func)
				tell("#if inside a function")
		}
		if (code ~ /^[ \t]*#[ \t]*include/)
			incs++
		if (code ~ /(^|[^A-Za-z0-9_])goto[ \t]/)
			gotos++

		if (!in_func && code ~ /^[A-Za-z_][A-Za-z0-9_]*\(/ && code !~ /;[ \t]*$/)
			name = substr(code, 1, index(code, "(") - 1)
		if (!in_func && code ~ /;[ \t]*$/)
			name = ""
		if (code ~ /^\{/ && name != "") {
			in_func = 1
			start = FNR
		}
		if (code ~ /^\}/ && in_func) {
			n = FNR - start + 1
			len[++nfunc] = n
			if (n > 70) {
				long_ones++
				tell(name " has " n " lines")
			}
			in_func = 0
			name = ""
		}
	}
	END {
		if (list || nfile == 0)
			exit
		flen[nfile] = last
		sort(flen, nfile)
		sort(len, nfunc)
		if (codes == 0)
			codes = 1
		printf "%-20s %5d %6d %5d %5d %5d %5d %4d %4d %4d %4d %5.0f %6.1f %6.2f %5.1f %5.1f %5.1f\n", folder, nfile, lines,
		    at(flen, nfile, .5), at(flen, nfile, .9), flen[nfile], nfunc, at(len, nfunc, .5), at(len, nfunc, .9),
		    nfunc ? len[nfunc] : 0, long_ones, 100 * comments / lines, 100 * blocks / codes,
		    nfunc ? asserts / nfunc : 0, 1000 * ifs / codes, incs / nfile, 1000 * gotos / codes
	}'
done
