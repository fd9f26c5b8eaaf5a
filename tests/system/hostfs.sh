#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# hostfs - directories of the host in the guest: what is shared can be used as
# on the host, and nothing else can be reached.
set -u
. tests/tap.sh
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT

# guest ARG... : stdout is ours, stderr is in $t/err.
guest() {
	"$VKERNEL" --timeout=600s "$@" 2>"$t/err" </dev/null
}
# What a tree is, in text; times left out.
tree() {
	(cd "$1" && find . -printf '%p %y %m %n %U %s %l\n' | sort && find . -type f -exec cksum {} + | sort)
}

mkdir -p "$t/a/sub/deep" "$t/out" "$t/bin"
echo outside >"$t/out/secret"
echo inside >"$t/a/file"
printf 'a\nb\n' >"$t/a/sub/two"
ln -s ../out/secret "$t/a/escape"
ln -s /out/secret "$t/a/absolute"
ln -s sub/two "$t/a/link"

same "a shared directory is listed and read as it is" "$(cd "$t/a" && find . | sort; cat "$t/a/file" "$t/a/link")" \
    "$(guest "--share=$t/a:/a,ro" -- sh -c 'cd /a && find . | sort; cat file link')"
before=$(tree "$t")
same "what is shared read only stays as it is" "EROFS" "$(guest "--share=$t/a:/a,ro" -- sh -c '
	cd /a; (echo x >new; echo x >file; rm file; mkdir d; mv file g; chmod 0 file; ln file h; ln -s x y; touch file
	    mount -o remount,rw /a; echo x >new; rm file; truncate -s 0 file) >/dev/null 2>&1
	echo x 2>/dev/null >new || echo EROFS')"
same "and the host finds it so" "$before" "$(tree "$t")"
same "symbolic links and .. lead nowhere outside" "no no no out" "$(guest "--share=$t/a:/a" -- sh -c '
	cd /a; for f in escape absolute ../out/secret; do cat $f >/dev/null 2>&1 && echo YES || printf "no "; done
	mkdir /out && echo out >/out/secret && cat absolute')"

# Everything that changes a tree, here and there.
cat >"$t/changes" <<'END'
umask 022
echo one >n1; echo two >>n1; mkdir -p d1/d2; mv n1 d1/d2/n2; ln d1/d2/n2 hard; ln -s d1/d2/n2 soft
chmod 640 hard; echo three >>soft; cp -r d1 d3; rm -r d1; mv d3 d4; mkfifo -m 600 fifo; echo repl >r; mv r hard
dd if=/dev/zero of=big bs=65536 count=20 2>/dev/null; truncate -s 100000 big; echo end >>big; echo x | dd of=big bs=1 seek=5000 conv=notrunc 2>/dev/null
exec 3<>gone; echo kept >&3; rm gone; mkdir cwd; cat <&3
i=0; while [ $i -lt 100 ]; do echo $i >many.$i; i=$((i + 1)); done; rm many.?; ls | wc -l
touch -d '2001-02-03 04:05:06' big; stat -c '%s %Y %a' big; cat d4/d2/n2 2>&1; ls -a
END
mkdir "$t/w1" "$t/w2"
there=$(cd "$t/w1" && sh "$t/changes" 2>&1)
same "changes answer as on the host" "$there" "$(guest "--share=$t/w2:/w" "--share=$t:/t,ro" -w /w -- sh /t/changes)"
same "and leave the same" "$(tree "$t/w1")" "$(tree "$t/w2")"

# Others change it meanwhile.
mkdir "$t/m"
echo old >"$t/m/f"
mkfifo "$t/m/fifo"
guest "--share=$t/m:/m" -- sh -c 'cd /m; cat f; : >ready; until [ -e go ]; do sleep 0.1; done; sleep 1.1; cat f; ls; cat g
    exec 3<f; : >ready2; until [ -e go2 ]; do sleep 0.1; done; sleep 1.1; ls d; cat f; echo mine >>log; cat log' >"$t/seen" &
pid=$!
until [ -e "$t/m/ready" ] || ! kill -0 $pid 2>/dev/null; do sleep 0.05; done
echo newer >"$t/m/f"
echo g >"$t/m/g"
mkdir "$t/m/d"
: >"$t/m/go"
until [ -e "$t/m/ready2" ] || ! kill -0 $pid 2>/dev/null; do sleep 0.05; done
mv "$t/m/d" "$t/m/e" && mkdir "$t/m/d" && : >"$t/m/d/other"
echo newest >"$t/m/f.new" && mv "$t/m/f.new" "$t/m/f"
echo theirs >"$t/m/log"
: >"$t/m/go2"
wait $pid
same "changes by the host are seen" "old newer d f fifo g go ready g other newest theirs mine " "$(tr '\n' ' ' <"$t/seen")"

# Device nodes and FIFOs of the host are names only.
same "a FIFO of the host is one of the guest's" "through" \
    "$(guest "--share=$t/m:/m" -- sh -c 'cat /m/fifo & echo through >/m/fifo; wait')"

# The same programs, on the host's files and here.
if [ "$(id -u)" = 0 ]; then
	for p in fs_dir fs_names fs_open fs_race fs_sparse inotify mm_file range tmpfile xattr; do
		cp "$BUILD/user/$p" "$t/bin"
		mkdir "$t/n.$p" "$t/g.$p"
		there=$(cd "$t/n.$p" && "$t/bin/$p" 2>&1 </dev/null)
		same "$p does as on the host" "$there" \
		    "$(guest -c 2 "--share=$t/g.$p:/g" "--share=$t/bin:/b,ro" -w /g -- "/b/$p" 2>&1)"
		# Whose write was last is chance.
		[ "$p" = range ] || same "$p leaves the same" "$(tree "$t/n.$p")" "$(tree "$t/g.$p")"
	done
else
	skip "programs do as on the host" "not as root"
fi

if unshare -m true 2>/dev/null; then
	mkdir "$t/small"
	same "a full disk is told to who writes" "No space left on device" "$(unshare -m sh -c '
		mount -t tmpfs -o size=256k tmpfs "$1/small" && exec "$2" --timeout=600s --share="$1/small:/s" -- sh -c "
		    dd if=/dev/zero of=/s/f bs=64k count=9 2>&1"' sh "$t" "$VKERNEL" </dev/null | sed -n 's/.*: //p' | head -n 1)"
else
	skip "a full disk is told to who writes" "no mount namespaces"
fi

# What the host refuses arrives as what it is.
mkdir "$t/e"
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	mkdir "$t/e/own"
	echo secret >"$t/e/closed"
	chmod 0 "$t/e/closed"
	chmod 700 "$t/e/own"
	chmod 755 "$t"
	same "what the caller may not do on the host, nobody may: EACCES" "$(printf '%s: Permission denied\n' cat ls sh)" \
	    "$(setpriv --reuid=65534 --regid=65534 --clear-groups "$VKERNEL" --timeout=600s -u root "--share=$t/e:/e" -- sh -c '
		cat /e/closed; ls /e/own; echo x >/e/new' 2>&1 </dev/null | sed -n 's/^\([a-z]*\): .*: \(Permission denied\)$/\1: \2/p')"
else
	skip "what the caller may not do on the host, nobody may: EACCES" "not as root, or no setpriv"
fi
# refused FILE CALL ERROR COMMAND: what the command says when such calls of the host's about that file fail.
refused() {
	strace -f -qq -o /dev/null -P "$t/$1" -e "trace=$2" -e "inject=$2:error=$3" \
	    "$VKERNEL" --timeout=600s "--share=$t/e:/e" -- sh -c "cd /e; $4" 2>&1 </dev/null | sed 's/.*: //' | head -n 1
}
if command -v strace >/dev/null; then
	echo text >"$t/e/f"
	same "EIO from a read" "Input/output error" "$(refused e/f preadv2 EIO 'cat f')"
	same "ENOSPC from a write" "No space left on device" "$(refused e/f pwritev2 ENOSPC 'echo more >>f')"
	same "EIO from fsync" "Input/output error" "$(refused e/f fsync EIO 'dd if=/dev/null of=f conv=notrunc,fsync')"
	same "ENOSPC from mkdir" "No space left on device" "$(refused e mkdirat ENOSPC 'mkdir d')"
	same "EIO from unlink" "Input/output error" "$(refused e unlinkat EIO 'rm -f f')"
	same "EACCES from rename" "Permission denied" "$(refused e renameat2 EACCES 'mv f g')"
	same "and nothing was changed" "text" "$(cat "$t/e/f")"
	# Slow in all that it is asked.
	for p in fs_dir fs_names; do
		cp "$BUILD/user/$p" "$t/bin"
		mkdir "$t/e/here" "$t/e/there"
		calls=statx,openat2,getdents64,unlinkat,renameat2,mkdirat,preadv2,pwritev2
		there=$(cd "$t/e/there" && "$t/bin/$p" 2>&1 </dev/null)
		same "$p on a slow host" "$there" "$(strace -f -qq -o /dev/null -e trace=$calls -e inject=$calls:delay_enter=600 \
		    "$VKERNEL" -c 2 --timeout=600s "--share=$t/e:/e" "--share=$t/bin:/b,ro" -w /e/here -- "/b/$p" 2>&1 </dev/null)"
		rm -rf "$t/e/here" "$t/e/there"
	done
else
	skip "errors of the host arrive as such, and it may be slow" "no strace"
fi

# Stores through a mapping reach the file without being asked to, from more pages than there is memory.
mkdir "$t/mm"
cp "$BUILD/guest/mapped" "$t/bin"
"$t/bin/mapped" "$t/mm/there" 24
guest -m 16M "--share=$t/mm:/mm" "--share=$t/bin:/b,ro" -- /b/mapped /mm/here 24
same "a mapping larger than memory is written and read" 0 "$?"
holds "and all of it is in the file" cmp -s "$t/mm/there" "$t/mm/here"

# A root.
mkdir -p "$t/r/dev" "$t/r/proc" "$t/r/bin"
"$VKERNEL" -- cat /bin/busybox >"$t/r/bin/busybox" </dev/null
chmod 755 "$t/r/bin/busybox"
before=$(tree "$t/r")
same "a directory is the root" "bin dev proc" "$(guest "--root=$t/r,ro" -- /bin/busybox sh -c 'busybox ls / | busybox xargs')"
same "and stays as it is" "$before" "$(tree "$t/r")"
guest "--root=$t/a,ro" -- true
same "a root without /dev: 125" 125 "$?"
holds "says so" grep -q 'has no directory dev' "$t/err"
guest "--share=$t/none:/x" -- true
same "a directory that is not there: 125" 125 "$?"
guest "--share=nonsense" -- true
same "not two directories: 125" 125 "$?"
same "no two nodes of one file" "7" "$(guest "--share=$t/a:/a" -- sh -c 'cd /a; ln file again; echo 123456 >again; wc -c <file')"
finish
