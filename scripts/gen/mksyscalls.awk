# SPDX-License-Identifier: BSD-2-Clause
#
# mksyscalls.awk - everything that follows from sys/kern/syscall/syscalls.tbl.
#
#   awk -v out=numbers|prototypes|table|calls -f mksyscalls.awk syscalls.tbl
#
# Fields of the table are separated by two or more blanks or tabs:
#
#   num  name  arguments
#   0    read  int fd, user void *buf, size_t len
#
#   num        Linux's number below 4096, our own from there on
#   arguments  at most six, or void.  `user T *x` is passed as uaddr_t x: kernel
#              code cannot read through it by mistake.
#
# out=numbers     <gen/sysnum.h>     SYS_read, and SYS_LINUX_MAX
# out=prototypes  <gen/syscalls.h>   int sys_read(struct sysmsg *, int fd, ...);
#                 returns 0 or an error number; the result goes to sm_result
# out=table       systable.c         sysent_linux[], sysent_own[]: dispatch, and
#                 what --strace needs: struct sysent in <sys/syscall/sysent.h>
# out=calls       <gen/calls.h>      calls[]: the same rows for programs that try them all
#                 (tests/user, tests/stress), each argument with a letter for what it is:
#                 S a string, R memory that is read, W written, A an address, F a descriptor,
#                 B bits, I a process, L a length or offset, N any other number

function fatal(why) {
	printf "%s:%d: %s\n", FILENAME, FNR, why >"/dev/stderr"
	failed = 1
	exit 1
}

function letter(base, aname) {
	if (base ~ /^user /)
		return kind == "SYSARG_STRING" ? "S" : base ~ /^user const / ? "R" : "W"
	if (kind == "SYSARG_POINTER")
		return "A"
	if (kind == "SYSARG_FD")
		return "F"
	if (kind == "SYSARG_HEX" || kind == "SYSARG_OCTAL" || aname == "options")
		return "B"
	if (aname ~ /^(pid|tid|tgid|pgid)$/)
		return "I"
	return aname ~ /^(n|off|nsegs|n(local|remote))$|len$|size$|count$|cnt$|fds$|_(lo|hi)$|events$/ ? "L" : "N"
}

# One argument "user const char *path": fills ctype, aname, kind and what.
function argument(a,   base) {
	gsub(/^[ \t]+|[ \t]+$/, "", a)
	if (!match(a, /[A-Za-z_][A-Za-z0-9_]*$/))
		fatal("no name in argument: " a)
	aname = substr(a, RSTART)
	base = substr(a, 1, RSTART - 1)
	gsub(/[ \t]+$/, "", base)
	if (base == "")
		fatal("no type in argument: " a)
	if (base ~ /^user /) {
		if (base !~ /\*$/)
			fatal("user without a pointer: " a)
		ctype = "uaddr_t"
		kind = (base ~ /^user const char \*$/) ? "SYSARG_STRING" : "SYSARG_POINTER"
		what = letter(base, aname)
		return
	}
	if (base ~ /\*/)
		fatal("a pointer that is not user's: " a)
	ctype = base
	if (aname ~ /(^|_)mode$/)
		kind = "SYSARG_OCTAL"
	else if (aname ~ /(flags|prot|mask)$/)
		kind = "SYSARG_HEX"
	else if (aname ~ /fd$/)
		kind = "SYSARG_FD"
	else if (base ~ /^(uaddr_t|uintptr_t)$/)
		kind = "SYSARG_POINTER"
	else if (base ~ /^(unsigned|unsigned int|unsigned long|size_t|uint32_t|uint64_t|uid_t|gid_t)$/)
		kind = "SYSARG_UNSIGNED"
	else
		kind = "SYSARG_SIGNED"
	what = letter(base, aname)
}

BEGIN {
	FS = "[ \t][ \t]+|\t"
	if (out !~ /^(numbers|prototypes|table|calls)$/) {
		print "mksyscalls.awk: out=" out ": unknown" >"/dev/stderr"
		failed = 1
		exit 1
	}
	own_base = 4096
}

/^[ \t]*(#|$)/ { next }

{
	if (NF != 3)
		fatal("three fields wanted, " NF " found")
	if ($1 !~ /^[0-9]+$/ || $1 + 0 <= last && n > 0)
		fatal("numbers must ascend: " $1)
	if ($2 in seen)
		fatal("named twice: " $2)
	seen[$2] = 1
	last = $1 + 0
	num[++n] = last
	name[n] = $2
	if (last < own_base)
		linux_max = last + 1
	else
		own_max = last + 1 - own_base

	nargs[n] = $3 == "void" ? 0 : split($3, args, /,/)
	if (nargs[n] > 6)
		fatal("more than six arguments")
	proto[n] = "struct sysmsg *m"
	call[n] = "m"
	for (i = 1; i <= nargs[n]; i++) {
		argument(args[i])
		proto[n] = proto[n] ", " ctype " " aname
		call[n] = call[n] ", (" ctype ")m->sm_arg[" i - 1 "]"
		kinds[n] = kinds[n] (i > 1 ? ", " : "") kind
		names[n] = names[n] (i > 1 ? ", " : "") "\"" aname "\""
		whats[n] = whats[n] what
	}
}

END {
	if (failed)
		exit 1
	print "/* SPDX-License-Identifier: BSD-2-Clause */"
	print "/* Made by scripts/gen/mksyscalls.awk from sys/kern/syscall/syscalls.tbl. */"
	if (out == "numbers") {
		print "#pragma once\n"
		for (i = 1; i <= n; i++)
			printf "#define SYS_%-24s %d\n", name[i], num[i]
		printf "\n#define SYS_LINUX_MAX %d\t/* one more than the greatest of Linux's numbers here */\n", linux_max
		printf "#define SYS_OWN_BASE %d\n#define SYS_OWN_MAX %d\t/* one more than the greatest, from SYS_OWN_BASE */\n",
		    own_base, own_max
	} else if (out == "prototypes") {
		print "#pragma once\n#include <sys/syscall/sysent.h>\n"
		for (i = 1; i <= n; i++)
			printf "int sys_%s(%s);\n", name[i], proto[i]
	} else if (out == "calls") {
		print "#pragma once\n"
		print "struct call {\n\tint\t\tnr;\n\tconst char\t*name, *what, *arg[6];\n};\n\nstatic const struct call calls[] = {"
		for (i = 1; i <= n; i++)
			printf "\t{ %d, \"%s\", \"%s\", { %s } },\n", num[i], name[i], whats[i], names[i] == "" ? "0" : names[i]
		print "};"
	} else {
		print "#include <gen/sysnum.h>\n#include <gen/syscalls.h>\n"
		for (i = 1; i <= n; i++)
			printf "static int\ncall_%s(struct sysmsg *m)\n{\n\treturn sys_%s(%s);\n}\n\n", name[i], name[i], call[i]
		for (own = 0; own <= 1; own++) {
			printf "const struct sysent sysent_%s[] = {\n", own ? "own" : "linux"
			for (i = 1; i <= n; i++) {
				if ((num[i] >= own_base) != own)
					continue
				printf "\t[%d] = { call_%s, \"%s\", %d, { %s }, { %s } },\n",
				    num[i] - own * own_base, name[i], name[i], nargs[i], kinds[i] == "" ? "0" : kinds[i], names[i] == "" ? "0" : names[i]
			}
			if (own && own_max == 0)
				print "\t{ 0 },\t/* none yet */"
			print "};"
		}
	}
}
