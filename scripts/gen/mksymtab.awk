# SPDX-License-Identifier: BSD-2-Clause
#
# mksymtab.awk - the kernel's symbol table for panics, as assembler source.
#
#   nm -n kernel.o >NM; objdump -dl kernel.o | awk -v nm=NM -v top=DIR/ -f mksymtab.awk
#
# Both describe the linked kernel before its addresses are final; offsets are
# from the start of .ktext, which is one piece in the image.  Lines come from
# objdump: a "path:line" line holds for the instructions below it.  One entry
# is written where path or line changes.  Layout: sys/include/sys/debug/symtab.h.

function str(s) {
	if (!(s in stroff)) {
		stroff[s] = strbytes
		strbytes += length(s) + 1
		strs[++nstr] = s
	}
	return stroff[s]
}

function fileno_of(path) {
	if (index(path, top) == 1)
		path = substr(path, length(top) + 1)
	sub(/^\.\//, "", path)
	if (!(path in fileno)) {
		fileno[path] = nfile
		files[nfile++] = path
	}
	return fileno[path]
}

BEGIN {
	str("")
	while ((getline l < nm) > 0) {
		split(l, f, " ")
		if (f[2] !~ /^[tTwW]$/ || f[3] ~ /^__ktext_(start|end)$/)
			continue
		func_at[++nfunc] = f[1]
		func_name[nfunc] = f[3]
	}
}

/^Disassembly of section/ { in_text = ($4 == ".ktext:"); cur = ""; next }
!in_text { next }

# "path:line" or "path:line (discriminator n)"
/^[^ \t].*:[0-9]+( \(discriminator [0-9]+\))?$/ {
	sub(/ \(discriminator [0-9]+\)$/, "")
	match($0, /:[0-9]+$/)
	cur = substr($0, 1, RSTART - 1)
	line = substr($0, RSTART + 1) + 0
	next
}

# "  12ab:	insn"
/^ *[0-9a-f]+:\t/ {
	if (cur == "" || (cur == last_file && line == last_line))
		next
	split($1, a, ":")
	line_at[++nline] = a[1]
	line_file[nline] = fileno_of(cur)
	line_no[nline] = line < 65536 ? line : 0
	last_file = cur
	last_line = line
}

END {
	print "\t.section .rodata.symtab, \"a\", @progbits"
	print "\t.balign 8"
	print "\t.globl symtab_image"
	print "symtab_image:"
	print "\t.quad __ktext_start, __ktext_end, 1f, 2f, 3f, 4f"
	printf "\t.long %d, %d, %d, 0\n", nfunc, nline, nfile
	print "1:"
	for (i = 1; i <= nfunc; i++)
		printf "\t.long 0x%s, %d\n", func_at[i], str(func_name[i])
	print "2:"
	for (i = 1; i <= nline; i++)
		printf "\t.long 0x%s\n\t.short %d, %d\n", line_at[i], line_file[i], line_no[i]
	print "3:"
	for (i = 0; i < nfile; i++)
		printf "\t.long %d\n", str(files[i])
	print "4:"
	for (i = 1; i <= nstr; i++)
		printf "\t.asciz \"%s\"\n", strs[i]
	print "\t.section .note.GNU-stack, \"\", @progbits"
}
