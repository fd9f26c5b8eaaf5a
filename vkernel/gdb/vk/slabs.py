# SPDX-License-Identifier: BSD-2-Clause
"""Memory of kmalloc: the objects that are in use, and with the kernel argument "kmem_debug" who allocated each.

sys/vm/kmem/kmem.c tells how a slab is made, debug.c what a guard is.
"""
import struct

import gdb

from . import kernel, memory

SLAB, LARGE = 1 << memory.FLAGS.index("slab"), 1 << memory.FLAGS.index("large")
LIVE, FREED, RED = 0x4C495645, 0x46524545, 0xED
BLOCK = 2 << 20		# an object of a whole block has no guard
WRAPPERS = ("kstrdup", "kmalloc_array")	# who calls these allocates


class Guard:
    """What stands behind an object; `raw`: the bytes of the object's room."""

    def __init__(self, addr, raw):
        layout = kernel.Layout.of("kmem_guard")
        self.addr, self.room, self.raw = addr, len(raw), raw
        self.end = len(raw) - layout.size

        def word(field, form):
            return struct.unpack_from(form, raw, self.end + layout.offset(field))

        n = layout.find("g_from")[1].target().sizeof // 8
        self.state, = word("g_state", "<I")
        self.bytes, = word("g_bytes", "<I")
        self.threads = word("g_thread", "<2I")
        stacks = word("g_from", "<%dQ" % (2 * n))
        self.callers = [self.outside(stacks[k * n:(k + 1) * n]) for k in (0, 1)]

    @staticmethod
    def outside(pcs):
        while pcs and pcs[0] and function(pcs[0]) in WRAPPERS:
            pcs = pcs[1:]
        return tuple(pc for pc in pcs if pc)

    @property
    def is_whole(self):
        return self.state in (LIVE, FREED) and self.bytes <= self.end

    @property
    def overrun(self):
        """Where the red zone is damaged first; None: it is not."""
        for i in range(self.bytes, self.end):
            if self.raw[i] != RED:
                return i
        return None


def is_guarded():
    return bool(kernel.number("kmem_debug"))


def slabs():
    """(struct page, physical address) of each page that begins a slab or a large object."""
    first, n = memory.all_pages()
    layout = kernel.Layout.of("page")
    at, t = layout.find("pg_flags")
    form = "<" + kernel.FORMS[t.sizeof]
    raw = kernel.read(first, n * layout.size)
    for i in range(n):
        flags, = struct.unpack_from(form, raw, i * layout.size + at)
        if flags & (SLAB | LARGE):
            yield kernel.Object("page", first + i * layout.size), i * memory.PAGE


def free_in(page, base, size, raw):
    """Addresses of the free objects of a slab; raises Broken where its list does not hold."""
    at, seen = page["pg_index"], set()
    while at != 0:
        if not base <= at < base + memory.PAGE or (at - base) % size != 0:
            raise kernel.Broken("slab %#x of %d bytes: its free list leads to %#x" % (base, size, at))
        if at in seen:
            raise kernel.Broken("slab %#x of %d bytes: its free list goes round at %#x" % (base, size, at))
        seen.add(at)
        at, = struct.unpack_from("<Q", raw, at - base)
    return seen


def remote():
    """Objects on their way home to the CPU of their slab."""
    out = set()
    for c in kernel.cpus():
        v = kernel.Object("vm_cpu", c["c_vm"])
        layout = kernel.Layout.of("kmem_cpu")
        at, t = v.layout.find("v_kmem")
        for k in range(t.sizeof // layout.size):
            obj = kernel.Object("kmem_cpu", v.addr + at + k * layout.size)["kc_remote"]
            while obj != 0 and obj not in out:
                out.add(obj)
                obj = kernel.word(obj)
    return out


def objects():
    """(address, room, raw bytes) of each object that is not free; of large ones None for the bytes."""
    direct = int(kernel.static("debug_table")["dt_direct"])
    away = remote()
    for page, pa in slabs():
        base = direct + pa
        if page["pg_flags"] & LARGE:
            yield base, page["pg_index"] * memory.PAGE, None
            continue
        size = kernel.Object("kmem_cpu", page["pg_owner"])["kc_size"]
        raw = kernel.read(base, memory.PAGE)
        free = free_in(page, base, size, raw) | away
        for i in range(memory.PAGE // size):
            if base + i * size not in free:
                yield base + i * size, size, raw[i * size:(i + 1) * size]


def guards():
    """The guards of all objects that have one, those in quarantine among them."""
    for addr, room, raw in objects():
        if room != BLOCK:
            yield Guard(addr, raw if raw is not None else kernel.read(addr, room))


def holder(addr):
    """The object that an address lies in, as (address, room, raw); None: in none."""
    for obj, room, raw in objects():
        if obj <= addr < obj + room:
            return obj, room, raw
    return None


FUNCTIONS = {}


def function(pc):
    """The function that a return address lies in."""
    key = (gdb.current_progspace().filename, pc)
    if key not in FUNCTIONS:
        FUNCTIONS[key] = kernel.name_of(pc - 1).split("+")[0]
    return FUNCTIONS[key]


def place(pc):
    """A return address, as "function (file:line)"."""
    sal, name = gdb.find_pc_line(pc - 1), function(pc)
    return name if sal.symtab is None else "%s (%s:%d)" % (name, sal.symtab.filename, sal.line)
