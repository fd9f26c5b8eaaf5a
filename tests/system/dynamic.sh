#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# dynamic - this machine's own dynamic programs, with their libraries and
# their loader: the same files, the same command, the same output and status
# as on the host.
set -u
. tests/tap.sh
PATH=/usr/bin:/bin
export PATH
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT

# archive NAME PROGRAM|PATH...: what is there of it, and the tools that each script may use.
tools='/etc/ld.so.cache bash sh env cat chmod cmp cp cut diff echo false find grep head ln ls md5sum mkdir mkfifo mv paste readlink rm rmdir sed seq
    sha256sum sleep sort split tac tail tar tee test touch tr true uniq wc xargs gzip xz kill stat basename dirname od comm join'
archive() {
	name=$1
	shift
	for p in $tools "$@"; do
		case $p in
		/*) [ ! -e "$p" ] || echo "$p" ;;
		*) [ ! -x "/usr/bin/$p" ] || echo "/usr/bin/$p" ;;
		esac
	done | xargs sh scripts/gen/mkprograms.sh >"$t/$name.list" &&
	    "$BUILD/tools/mkcpio" "$t/$name.list" >"$t/$name.cpio"
}

# as_host CLAIM ARCHIVE PROGRAM SCRIPT: it starts in an empty folder, which is its home.
as_host() {
	if ! command -v "$3" >/dev/null; then
		skip "$1" "$3 is not installed"
		return
	fi
	rm -rf "$t/home"
	mkdir "$t/home"
	(cd "$t/home" && env -i PATH=$PATH HOME=. TMPDIR="$t" LC_ALL=C TZ=UTC0 bash -c "$4" </dev/null; echo "status $?") >"$t/want" 2>&1
	("$VKERNEL" -c 2 -m 512M -w /tmp --timeout=600s -r "$t/$2.cpio" -- \
	    /usr/bin/env -i PATH=$PATH HOME=. TMPDIR="$t" LC_ALL=C TZ=UTC0 bash -c "$4" </dev/null; echo "status $?") >"$t/got" 2>&1
	if cmp -s "$t/want" "$t/got"; then
		tap_result ok "$1"
	else
		tap_result not "$1"
		diff "$t/want" "$t/got" | head -n 60 | sed 's/^/# /'
	fi
}

archive small perl /usr/lib/x86_64-linux-gnu/perl-base awk gawk make sqlite3 git git-upload-pack /usr/share/git-core/templates
as_host "a shell" small bash '
	f() { local x=$1; echo $((x * 7)); return 3; }; f 6; echo $? "${BASH_VERSINFO[0]}"
	trap "echo caught" USR1; kill -USR1 $$; diff <(seq 3) <(seq 4); coproc cat; echo co >&${COPROC[1]}; read -r y <&${COPROC[0]}; echo $y
	mapfile -t a < <(seq 5); echo ${#a[@]}; [[ abc =~ b(.) ]] && echo "${BASH_REMATCH[1]}"; (exit 7) & wait $!; echo $?
	printf "%(%F %T)T\n" 86399; cat <<<here; exec 5<>f; echo z >&5; cat f; ls nosuch; sleep 100 & kill $!; wait $!; exit $?'
as_host "coreutils" small cut '
	seq 1000 >f; sort -R f | sort -n | md5sum; split -l 300 f; ls; tac f | head -1; wc f; ln -s f l; readlink l
	cp -a f g; cmp f g; mkfifo p; (echo through >p &) ; cat p; tail -n 2 f | tr 0-9 a-j; paste -sd+ f | cut -c1-40
	sha256sum f; od -An -tx1 f | head -2; comm -12 <(seq 1 9 | sort) <(seq 5 20 | sort); stat -c "%s %a %F" f; mkdir d; rmdir d d; echo $?
	seq 3 | tee a b | wc -l; join <(seq 3) <(seq 2 4); uniq -c <(printf "a\na\nb\n"); env -i A=1 env'
as_host "findutils" small find '
	mkdir -p a/b a/c; seq 3 >a/b/f; touch -d @1000 a/c/old; find . -type f | sort; find a -newermt @2000 -type f; find . -name f -size -1k
	find a -type f -print0 | sort -z | xargs -0 -n 1 wc -c; find . -depth -name b -exec rm -r {} \; ; find a | sort; seq 9 | xargs -P 3 -n 3 echo | sort'
as_host "grep and sed" small grep '
	seq 200 | grep -c "1.*1"; seq 30 | grep -nE "^(1|2)[05]$"; printf "one\ntwo\n" >f; grep -r two .; grep -q three f; echo $?; grep -P "t(?=w)" f
	sed -n "2{s/\(t\)w/\1W/p}" f; sed -i "1d" f; cat f; seq 10 | sed -e "/3/,/5/d" -e "$!N;s/\n/ /"; sed s/ f'
as_host "gawk" small gawk '
	seq 1000 | gawk "{ s += \$1; a[\$1 % 7]++ } END { print s, length(a); n = asorti(a, b); print b[n]; print strftime(\"%F\", 0) }"
	gawk "BEGIN { while ((\"seq 3\" | getline x) > 0) print x; printf \"%.3f %s\n\", atan2(0, -1), toupper(\"q\"); exit 4 }"'
as_host "awk" small awk 'seq 1000 | awk "{ s += \$1 } END { print s, NR }"; awk "BEGIN { \"echo a b\" | getline; print \$2; exit 4 }"'
as_host "tar, gzip, xz" small tar '
	mkdir d; seq 5000 >d/f; ln -s f d/l; ln d/f d/h; chmod 640 d/f; tar czf a.tgz d; tar cJf a.txz d; mkdir x y; tar xzf a.tgz -C x; tar xJf a.txz -C y
	diff -r x y && diff -r d x/d && echo same; stat -c "%a %h" x/d/f; tar tf a.txz | sort; gzip -t a.tgz; xz -T2 -k d/f; xz -l d/f.xz | wc -l
	xz -dc d/f.xz | md5sum; gzip -9n <d/f | md5sum; head -c 100 a.tgz | gzip -t; echo $?'
as_host "diff" small diff 'seq 20 >a; sed s/7/x/ a >b; diff a b; diff -u --label a --label b a b; mkdir c d; touch c/q; diff -r c d; echo $?; cmp a b'
as_host "perl" small perl '
	perl -e "print join(q{,}, map { \$_ * 2 } grep { \$_ % 2 } 1 .. 9), qq{\n}; open(F, q{-|}, q{echo sub}); print <F>; exit 5"; echo $?
	perl -e "\$p = fork; if (!\$p) { exit 3 } wait; print \$? >> 8, qq{\n}; \$SIG{ALRM} = sub { print qq{alarm\n} }; alarm 1; select undef, undef, undef, 3"
	seq 100 | perl -ne "\$s += \$_; END { print \$s, qq{\n} }"; perl -e "die qq{gone\n}"'
as_host "make" small make '
	printf "all: a b c\n\t@cat a b c\n%%:\n\t@echo \$@ >\$@; sleep 0.0\$\$((RANDOM %% 5))\nbad:\n\tfalse\n" >Makefile
	make -s -j3; make -n all; make bad; echo $?'
as_host "sqlite3" small sqlite3 '
	printf "create table t (a integer primary key, b text);\n" | sqlite3 db; (echo "begin;"; seq 2000 | sed "s/.*/insert into t values (&, hex(&));/"; echo "commit;") | sqlite3 db
	sqlite3 db "select count(*), sum(a), max(b) from t; pragma integrity_check; pragma journal_mode=wal; delete from t where a % 2; select count(*) from t"
	sqlite3 db "select nothing"; echo $?'
as_host "git" small git '
	export GIT_AUTHOR_DATE="@1000000000 +0000" GIT_COMMITTER_DATE="@1000000000 +0000" HOME=$PWD; git config --global user.name A; git config --global user.email a@b; git init -q -b main r; cd r; seq 100 >f; git add f; git commit -qm one
	sed -i 5d f; git diff --stat; git commit -qam two; git log --format="%H %s"; git checkout -qb side HEAD^; echo x >g; git add g; git commit -qm side
	git checkout -q main; git merge -q -m merge side; git gc -q; git fsck --full; cd ..; git clone -q r s; cd s; git log --oneline | wc -l; git status --short; git rev-parse HEAD^{tree}'

python=$(/usr/bin/python3 -c 'import os; print(os.path.dirname(os.__file__))' 2>/dev/null)
[ -z "$python" ] || archive python python3 "$python"
as_host "python3" python python3 '
cat >p.py <<E
import json, os, subprocess, sys, threading, queue, tempfile, mmap, select, signal, hashlib, time, multiprocessing
print(json.dumps({"a": [1, 2.5, None]}), sys.version_info[0], hashlib.sha256(b"x").hexdigest())
q = queue.Queue(); ts = [threading.Thread(target=lambda: q.put(1)) for _ in range(20)]
[t.start() for t in ts]; [t.join() for t in ts]; print(q.qsize())
print(subprocess.run(["sh", "-c", "echo out; echo err >&2; exit 3"], capture_output=True))
with tempfile.TemporaryFile() as f:
    f.write(b"x" * 8192); f.flush(); m = mmap.mmap(f.fileno(), 8192); m[0:3] = b"abc"; f.seek(0); print(f.read(5))
r, w = os.pipe(); p = select.epoll(); p.register(r, 1); os.write(w, b"x"); print(len(p.poll()))
signal.signal(signal.SIGALRM, lambda *a: print("alarm")); signal.setitimer(signal.ITIMER_REAL, 0.01); time.sleep(0.05)
t0 = time.monotonic(); time.sleep(0.01); print(0.01 <= time.monotonic() - t0 < 5, abs(time.time() - os.stat("p.py").st_mtime) < 60)
if os.fork() == 0: os._exit(7)
print(os.waitstatus_to_exitcode(os.wait()[1]), sorted(os.listdir(".")))
with multiprocessing.Pool(3) as pool: print(pool.map(abs, range(-5, 5)))
raise SystemExit(9)
E
python3 p.py'

file() { gcc -print-file-name="$1"; }
if command -v gcc >/dev/null; then
	printf '#include <pthread.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n' >"$t/h.c"
	# shellcheck disable=SC2046
	archive gcc gcc as ld "$(gcc -print-prog-name=cc1)" "$(gcc -print-prog-name=collect2)" $(gcc -O2 -M "$t/h.c" | tr -d '\\' |
	    tr ' ' '\n' | grep '^/usr') $(for f in liblto_plugin.so Scrt1.o crti.o crtn.o crtbeginS.o crtendS.o libgcc.a libgcc_s.so \
	    libgcc_s.so.1 libc.so libc.so.6 libc_nonshared.a; do file $f; done)
fi
as_host "gcc, and what it makes" gcc gcc '
cat >h.c <<E
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static __thread int mine; static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER; static long sum;
static void *f(void *a) { for (int i = 0; i < 1000; i++) { pthread_mutex_lock(&m); sum += ++mine; pthread_mutex_unlock(&m); } return a; }
int main(int c, char **v) { pthread_t t[4]; char *p = malloc(1 << 20); strcpy(p, v[1]);
	for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, f, 0);
	for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
	printf("%s %d %ld\n", p, c, sum); free(p); return 3; }
E
	gcc -O2 -Wall -o h h.c && sha256sum h && ./h hello; echo $?; gcc -O2 -S -o - h.c | sha256sum; echo "int main( {" >bad.c; gcc bad.c; echo $?'

# The other C library, whose loader is the library.
printf '#include <dlfcn.h>\n#include <stdio.h>\n#include <time.h>\nint main(void) { struct timespec t; puts("musl"); return clock_gettime(CLOCK_MONOTONIC, &t) + 4; }\n' >"$t/m.c"
if musl-gcc -O1 -o "$t/m" "$t/m.c" 2>/dev/null; then
	archive musl "$t/m" /lib/ld-musl-x86_64.so.1
	same "a program of musl" 'musl 4' "$("$VKERNEL" -r "$t/musl.cpio" -m 128M -- /usr/bin/sh -c "$t/m; echo \$?" | paste -sd' ')"
else
	skip "a program of musl" "no musl-gcc"
fi

# All that is not written is there once: each of these needs 1.5 MB to run, most of it text.
used=$("$VKERNEL" -m 256M -r "$t/small.cpio" -- bash -c '
	free() { sed -n "s/^MemFree: *\([0-9]*\).*/\1/p" /proc/meminfo; }
	sleep 100 & sleep 0.2; a=$(free); for i in {1..20}; do sleep 100 & done; sleep 0.5; echo $(((a - $(free)) / 20)); kill $(jobs -p)')
holds "text of a program and its libraries is there once ($used kB for each more)" [ "${used:-9999}" -lt 600 ]
finish
