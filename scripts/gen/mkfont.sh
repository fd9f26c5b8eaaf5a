#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# mkfont.sh - the console's font as C, from one of Linux's console fonts.
#
#   mkfont.sh FONT.psf.gz >font.c
#
# FONT is PSF of version 1 or 2, 8 by 16 pixels, with its Unicode table, for example
# /usr/share/consolefonts/Uni2-Terminus16.psf.gz of Debian's console-setup-linux.
# Sequences of characters in the table are left out, and so is what lies
# beyond U+FFFF.  When two glyphs claim a character the first has it.
set -eu
[ $# -eq 1 ] || { echo 'usage: mkfont.sh FONT.psf.gz' >&2; exit 2; }

gzip -dc "$1" | od -An -v -tu1 | awk -v name="$1" '
function fail(why) {
	print "mkfont: " name ": " why >"/dev/stderr"
	failed = 1
	exit 1
}
function le(at, bytes,   v) {
	for (v = 0; bytes > 0; bytes--)
		v = v * 256 + b[at + bytes - 1]
	return v
}
function claim(ch, glyph) {
	if (ch < 65535 && !(ch in map)) {
		map[ch] = glyph
		chars++
	}
}
# Version 1: numbers of two bytes; 65534 begins a sequence, 65535 ends the glyph.
function table1(at,   glyph, v, alone) {
	for (glyph = 0; glyph < glyphs; glyph++) {
		alone = 1
		for (;; at += 2) {
			if (at + 2 > n)
				fail("the Unicode table breaks off")
			v = le(at, 2)
			if (v == 65535)
				break
			if (v == 65534)
				alone = 0
			else if (alone)
				claim(v, glyph)
		}
		at += 2
	}
}
# Version 2: UTF-8; 254 begins a sequence, 255 ends the glyph.
function table2(at,   glyph, v, more, alone) {
	for (glyph = 0; glyph < glyphs; glyph++) {
		alone = 1
		while (b[at] != 255) {
			if (at >= n)
				fail("the Unicode table breaks off")
			v = b[at++]
			if (v == 254) {
				alone = 0
				continue
			}
			more = v >= 240 ? 3 : v >= 224 ? 2 : v >= 192 ? 1 : 0
			v = more == 3 ? v - 240 : more == 2 ? v - 224 : more == 1 ? v - 192 : v
			for (; more > 0; more--)
				v = v * 64 + b[at++] - 128
			if (alone)
				claim(v, glyph)
		}
		at++
	}
}
{
	for (i = 1; i <= NF; i++)
		b[n++] = $i
}
END {
	if (failed)
		exit 1
	width = 8
	if (n >= 4 && le(0, 2) == 1078) {		# 36 04
		bits = 4
		glyphs = b[2] % 2 == 1 ? 512 : 256
		height = bytes = b[3]
		version = int(b[2] / 2) % 4 > 0 ? 1 : 0
	} else if (n >= 32 && le(0, 4) == 2253043058) {	# 72 b5 4a 86
		bits = le(8, 4)
		glyphs = le(16, 4)
		bytes = le(20, 4)
		height = le(24, 4)
		width = le(28, 4)
		version = b[12] % 2 == 1 ? 2 : 0
	} else
		fail("not PSF")
	if (width != 8 || height != 16 || bytes != 16)
		fail("not 8 by 16")
	if (glyphs < 1 || glyphs > 65535 || bits + glyphs * bytes > n)
		fail("glyphs are missing")
	if (version == 0)
		fail("no Unicode table")
	if (version == 1)
		table1(bits + glyphs * bytes)
	else
		table2(bits + glyphs * bytes)
	if (chars == 0)
		fail("the Unicode table is empty")

	print "/* Made by scripts/gen/mkfont.sh from " name ". */"
	print "#include <core/screen/fb.h>\n"
	print "static const uint8_t bits[] = {"
	for (glyph = 0; glyph < glyphs; glyph++) {
		line = "\t"
		for (i = 0; i < bytes; i++)
			line = line b[bits + glyph * bytes + i] ","
		print line
	}
	print "};\n\nstatic const struct font_map map[] = {"
	for (ch = 0; ch < 65535; ch++)
		if (ch in map)
			print "\t{ " ch ", " map[ch] " },"
	print "};\n\nconst struct font font_console = {"
	print "\t.fn_glyphs = " glyphs ", .fn_chars = " chars ", .fn_bits = bits, .fn_map = map,"
	print "};"
}'
