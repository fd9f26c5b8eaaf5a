# SPDX-License-Identifier: BSD-2-Clause
"""Names, mounts and open files."""
import gdb

from . import kernel

TYPES = {1: "file", 2: "dir", 3: "link", 4: "chr", 5: "blk", 6: "fifo", 7: "socket"}	# enum v_type
DELETED = 2		# NCF_DELETED
ACCESS = ("r", "w", "rw", "-")


def path(addr, root=0):
    """The text of a struct ncp, through what is mounted."""
    parts, n, seen = [], kernel.Object("ncp", addr), set()
    while n.addr not in seen:
        seen.add(n.addr)
        if n.addr == root:
            break
        if n["n_parent"]:
            parts.append(kernel.text(n["n_name"], n["n_len"] + 1)[:n["n_len"]])
            n = kernel.Object("ncp", n["n_parent"])
            continue
        covers = kernel.Object("mount", n["n_mount"])["mp_covers"]	# the root of a mount stands on a name
        if covers == 0:
            break
        n = kernel.Object("ncp", covers)
    first = kernel.Object("ncp", addr)
    return "/" + "/".join(reversed(parts)) + (" (deleted)" if first["n_flags"] & DELETED else "")


def mounts():
    return kernel.walk(kernel.address("mounts"), "mount", "mp_link")


def mount_place(m):
    return path(m["mp_covers"]) if m["mp_covers"] else "/"


def filesystem(m):
    return kernel.text(kernel.Object("fs_ops", m["mp_ops"])["fs_name"])


def descriptors(p):
    """(number, struct file) of a process's open files, in order."""
    if p["p_fdt"] == 0:
        return
    table = kernel.Object("fdtable", p["p_fdt"])
    n = table["ft_size"]
    if n > 1 << 20:
        raise kernel.Broken("process %d has a table of %d files" % (p.pid, n))
    slots = kernel.read(table["ft_file"], 8 * n)
    for fd in range(n):
        at = int.from_bytes(slots[8 * fd:8 * fd + 8], "little")
        if at != 0:
            yield fd, kernel.Object("file", at)


def file_name(f):
    if f["f_ncp"]:
        return path(f["f_ncp"])
    name = kernel.Object("file_ops", f["f_ops"])["fo_name"]
    return "[%s]" % (kernel.text(name) if name else kernel.name_of(f["f_ops"]))


def children(n):
    """The cached names below a struct ncp."""
    return kernel.walk(n.at("n_children"), "ncp", "n_sibling")


def tree(n, deep):
    """(depth, struct ncp) of what is cached below n, and n."""
    todo = [(0, n)]
    while todo:
        depth, n = todo.pop()
        yield depth, n
        if depth < deep:
            todo.extend((depth + 1, c) for c in reversed(list(children(n))))


def last(n):
    return kernel.text(n["n_name"], n["n_len"] + 1)[:n["n_len"]]


def find(name):
    """The struct ncp of a path from the root of all, if the cache has it."""
    root = kernel.Object("mount", kernel.number("root_mount"))
    n = kernel.Object("ncp", root["mp_ncp"])
    for part in name.strip("/").split("/"):
        if part == "":
            continue
        n = next((c for c in children(n) if last(c) == part), None)
        if n is None:
            raise gdb.GdbError("vk: the cache of names has no %s in %s" % (part, name))
        while n["n_covered"]:
            n = kernel.Object("ncp", kernel.Object("mount", n["n_covered"])["mp_ncp"])
    return n
