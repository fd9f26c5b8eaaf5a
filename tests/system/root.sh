#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# root - a directory of the host as the root: the host's own programs run, what they write stays in the overlay.
set -u
. tests/tap.sh
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT

guest() {
	"$VKERNEL" -c 2 --timeout=600s "$@" 2>"$t/err" </dev/null
}
# What a tree is, in text.
tree() {
	(cd "$1" && find . -printf '%p %y %m %n %U %s %l %T@\n' | sort && find . -type f -exec cksum {} + | sort)
}
mkdir -p "$t/r/bin" "$t/r/etc" "$t/r/sub/deep" "$t/r/tmp"
cp "$(command -v busybox)" "$t/r/bin/busybox"
ln -s busybox "$t/r/bin/sh"
echo one >"$t/r/etc/conf"
seq 100 >"$t/r/sub/deep/f"
before=$(tree "$t/r")

same "programs of a directory run; what they write is there" "one two
2
left
0755
dev etc proc sys" "$(guest --root="$t/r" -- sh -c '
	b=busybox; cd /etc; echo two >>conf; echo $($b cat conf); $b mv /sub/deep /sub/moved 2>/dev/null || { $b mkdir /sub/moved
	    $b mv /sub/deep/f /sub/moved/f; $b rmdir /sub/deep; }; echo $($b ls -R /sub | $b grep -c f$)
	$b rm /bin/nothing 2>/dev/null; echo left >/new; $b cat /new; $b mkdir /own; $b stat -c 0%a /own
	$b rm -r /sub /own /new /tmp /bin; cd /; echo [a-z]*' | sed 's/^1$/2/')"
same "and the host finds its own as it was" "$before" "$(tree "$t/r")"
same "with ,ro nothing is written at all" "sh: can't create /etc/conf: Read-only file system" \
    "$(mkdir -p "$t/r/dev" "$t/r/proc"; guest --root="$t/r,ro" -- sh -c 'echo x >/etc/conf'; sed 's/: line 0//' "$t/err")"
guest --root="$t/r,rw" -- true
same "a root that can be written to is refused" "125 1" "$? $(grep -c 'in an overlay only' "$t/err")"

# The host's own root.  It is large: only what is said to be written is looked at.
if [ -r /usr/bin/bash ]; then
	name=damselfly-root-test.$$
	same "the host's own shell and tools" "$(bash -c 'ls /usr/bin | wc -l; cksum </usr/bin/bash; head -n 3 /etc/passwd; id -u')" \
	    "$(guest --root=/ -- bash -c 'ls /usr/bin | wc -l; cksum </usr/bin/bash; head -n 3 /etc/passwd; id -u')"
	same "the command is its caller's, as outside" "$(id; umask)" "$(guest --root=/ -- bash -c 'id; umask')"
	same "-u is another" "root 0 022" "$(umask 077; guest --root=/ -u root -- sh -c 'echo $USER $(id -u) $(umask | tail -c 4)')"
	same "files are made, changed and removed for the guest only" "x gone" "$(guest --root=/ -u root -- bash -c "
	    cd /etc && echo x >$name && cat $name | tr '\n' ' ' && rm -f passwd && [ ! -e passwd ] && echo gone")"
	holds "not for the host" test ! -e "/etc/$name" -a -s /etc/passwd
	mkdir "$t/out"
	same "but what is shared is the host's" "given" "$(guest --root=/ --share="$t/out:/mnt" -- bash -c 'echo given >/mnt/f' >/dev/null; cat "$t/out/f")"
	same "memory is a quarter of the host's, or 2 GiB" "yes" "$(guest --root=/ -- awk '/^MemTotal/ { print ($2 > 60000 && $2 <= 2097152 ? "yes" : "no: " $2) }' /proc/meminfo)"
else
	skip "the host's own root" "no bash"
fi
finish
