# SPDX-License-Identifier: BSD-2-Clause
"""What there is in the kernel.

GDB takes some 20 us for each field of a gdb.Value, and there may be ten thousand threads; so lists are walked
on raw bytes, read once for each structure, with the offsets of fields from the debug information.

All of it is foreign input here: the kernel was stopped in the middle of anything, or is broken.  So a walk ends at
an address that cannot be read or that it has seen, and says so.
"""
import functools
import struct

import gdb

LIST_MAX = 1 << 20
FORMS = {1: "B", 2: "H", 4: "I", 8: "Q"}


class Broken(Exception):
    """A structure that is not what it should be; the text says where."""


def static(name):
    """A variable of the kernel's own; the C library may have one of that name, too, but that is not static."""
    sym = gdb.lookup_static_symbol(name) or gdb.lookup_global_symbol(name)
    if sym is None:
        raise gdb.GdbError("vk: no kernel here: there is no '%s'" % name)
    return sym.value()


def is_pc():
    return once("is a PC's", lambda: gdb.lookup_global_symbol("pc_cpus") is not None)


def address(name):
    return int(static(name).address)


CACHE = {}


def once(what, fn):
    """What fn() says of this program, asked once."""
    key = (gdb.current_progspace().filename, what)
    if key not in CACHE:
        CACHE[key] = fn()
    return CACHE[key]


def number(name):
    """The value of a variable that is a number or a pointer."""
    return int(static(name))


def read(addr, n):
    try:
        return bytes(gdb.selected_inferior().read_memory(addr % (1 << 64), n))
    except gdb.error as e:
        raise Broken("%#x cannot be read: %s" % (addr, e)) from None


NOTE = b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0"	# what a build id of 20 bytes begins with


def where_is_build_id():
    """(address of the note in memory, the id that the file has); None: the file has none."""
    program = gdb.current_progspace()
    ours = next((o.build_id for o in program.objfiles() if o.filename == program.filename), None)
    for line in gdb.execute("info files", to_string=True).split("\n"):
        if ours is not None and line.endswith(" is .note.gnu.build-id"):
            return int(line.split()[0], 16), ours
    return None


def must_be_ours():
    """What runs is what GDB has the symbols of; on a PC the two have nothing to do with each other."""
    place = once("build id", where_is_build_id)
    if place is None:
        return
    try:
        note = read(place[0], len(NOTE) + 20)
    except Broken:
        note = b""
    if note != NOTE + bytes.fromhex(place[1]):
        raise gdb.GdbError("vk: in memory is not the kernel of %s, but another build's, or none yet (\"break kmain\", "
                           "\"continue\")" % gdb.current_progspace().filename)


def word(addr):
    return struct.unpack("<Q", read(addr, 8))[0]


def text(addr, most=256):
    """A C string; it may end close before what cannot be read."""
    out = b""
    while addr != 0 and len(out) < most and b"\0" not in out:
        out += read(addr + len(out), min(16 - (addr + len(out)) % 16, most))
    return out.split(b"\0")[0].decode("utf-8", "backslashreplace")


def name_of(addr):
    """A function or variable that lies there, as "name" or "name+0x10"; else the number."""
    said = gdb.execute("info symbol %#x" % addr, to_string=True)
    return "%#x" % addr if said.startswith("No symbol") else said.split(" in section")[0].replace(" + ", "+")


class Layout:
    """Offsets and sizes of a structure's fields, by their names ("td_runlink.l_next" goes inside)."""

    cache = {}

    def __init__(self, name):
        try:
            self.type = gdb.lookup_type("struct " + name)
        except gdb.error:
            raise gdb.GdbError("vk: no kernel here, or one without debug information: no struct %s" % name) from None
        self.size = self.type.sizeof
        self.fields, self.getters = {}, {}

    @classmethod
    def of(cls, name):
        key = (gdb.current_progspace().filename, name)
        if key not in cls.cache:
            cls.cache[key] = cls(name)
        return cls.cache[key]

    @staticmethod
    def member(t, name):
        """(offset, type) of a member, or of one of an unnamed member's; None: there is none."""
        for f in t.fields():
            if f.name == name:
                return f.bitpos // 8, f.type.strip_typedefs()
            if f.name is None or f.name == "":
                inner = Layout.member(f.type.strip_typedefs(), name)
                if inner is not None:
                    return f.bitpos // 8 + inner[0], inner[1]
        return None

    def find(self, path):
        if path not in self.fields:
            t, at = self.type, 0
            for part in path.split("."):
                found = self.member(t, part)
                if found is None:
                    raise gdb.GdbError("vk: %s has no field %s: another kernel's" % (self.type, path))
                at += found[0]
                t = found[1]
            self.fields[path] = (at, t)
        return self.fields[path]

    def offset(self, path):
        return self.find(path)[0]

    def getter(self, path):
        """A function from a structure's bytes to the value of a field."""
        if path not in self.getters:
            self.getters[path] = make_getter(*self.find(path))
        return self.getters[path]


def make_getter(at, t):
    if t.code != gdb.TYPE_CODE_ARRAY:
        form = FORMS[t.sizeof]
        one = struct.Struct("<" + (form.lower() if is_signed(t) else form)).unpack_from
        return lambda raw: one(raw, at)[0]
    size = t.target().strip_typedefs().sizeof
    if size == 1:
        return lambda raw: raw[at:at + t.sizeof].split(b"\0")[0].decode("utf-8", "backslashreplace")
    many = struct.Struct("<%d%s" % (t.sizeof // size, FORMS[size])).unpack_from
    return lambda raw: many(raw, at)


def is_signed(t):
    return t.code in (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_CHAR) and not str(t.unqualified()).startswith("unsigned")


class Object:
    """One structure, read once.  o["field"] is a number, a tuple of numbers, or text for an array of char."""

    def __init__(self, name, addr):
        self.layout = Layout.of(name)
        self.addr = addr
        self.bytes = read(addr, self.layout.size)

    def __getitem__(self, path):
        return self.layout.getter(path)(self.bytes)

    def at(self, path):
        """The address of a field."""
        return self.addr + self.layout.offset(path)

    @property
    def value(self):
        return gdb.Value(self.addr).cast(self.layout.type.pointer()).dereference()


def walk(head, name, link, make=None):
    """The structures `name` of the list at address `head`, which they are in by `link`; made by make(address)."""
    offset, seen, after = Layout.of(name).offset(link), set(), link + ".l_next"
    at = word(head)
    while at != head:
        if at in seen or len(seen) == LIST_MAX:
            raise Broken("the list at %#x does not end" % head)
        seen.add(at)
        o = make(at - offset) if make else Object(name, at - offset)
        yield o
        at = o[after]


def walk_tree(root, name, node):
    """The structures `name` of the red-black tree at address `root`, in order."""
    offset, seen, above = Layout.of(name).offset(node), set(), []
    at = word(root)
    while at != 0 or above:
        while at != 0:
            if at in seen or len(seen) == LIST_MAX:
                raise Broken("the tree at %#x goes round" % root)
            seen.add(at)
            above.append(Object(name, at - offset))
            at = above[-1][node + ".rb_left"]
        o = above.pop()
        yield o
        at = o[node + ".rb_right"]


# ------------------------------------------------------------- threads and CPUs --

STATES = ("running", "ready", "sleeping", "moving", "exited")	# enum td_state


class Thread(Object):
    def __init__(self, addr):
        super().__init__("thread", addr)
        self.id, self.name = self["td_id"], self["td_name"]
        self.used = None		# stacks.stack()'s

    @functools.cached_property
    def top(self):
        """Where its stack ends: at the structure itself, but for an idle thread, whose structure is elsewhere."""
        low = self["td_stack"]
        end = low + once("stack bytes", lambda: int(static("debug_table")["dt_stack_bytes"]))
        return self.addr if low <= self.addr < end else end

    @property
    def is_current(self):
        """It is what its CPU runs."""
        return self["td_cpu"] != 0 and Object("cpu", self["td_cpu"])["c_curthread"] == self.addr

    @functools.cached_property
    def state(self):
        if self["td_state"] >= len(STATES):
            return "?"
        state = STATES[self["td_state"]]
        return "idle" if state == "running" and not self.is_current else state	# an idle thread has no other state

    @property
    def cpu(self):
        return Object("cpu", self["td_cpu"])["c_id"] if self["td_cpu"] else None

    @property
    def lwp(self):
        return Object("lwp", self["td_lwp"]) if self["td_lwp"] else None

    @property
    def process(self):
        lwp = self.lwp
        return Process(lwp["l_proc"]) if lwp else None

    @property
    def tokens(self):
        """Those that it holds, or will hold when it runs again; oldest first."""
        return [Object("token", t) for t in self["td_tok"][:self["td_ntok"]]]

    def __str__(self):
        return "%d %s" % (self.id, self.name)


class Process(Object):
    def __init__(self, addr):
        super().__init__("proc", addr)
        self.pid = self["p_pid"]

    @property
    def state(self):
        states = ("alive", "stopped", "exiting", "zombie", "reaped")	# enum p_state
        return states[self["p_state"]] if self["p_state"] < len(states) else "?"

    @property
    def lwps(self):
        return walk(self.at("p_lwps"), "lwp", "l_link")


class Cpu(Object):
    def __init__(self, addr):
        super().__init__("cpu", addr)
        self.id = self["c_id"]

    @property
    def thread(self):
        return Thread(self["c_curthread"])


def threads():
    """All, in the order of their making."""
    return walk(address("all_threads"), "thread", "td_alllink", Thread)


def thread(ident):
    for td in threads():
        if td.id == ident:
            return td
    raise gdb.GdbError("vk: no thread %d" % ident)


def processes():
    return walk(address("proc_all"), "proc", "p_link", Process)


def process(pid):
    for p in processes():
        if p.pid == pid:
            return p
    raise gdb.GdbError("vk: no process %d" % pid)


def cpus():
    table, n = static("cpus"), number("cpu_count")
    for i in range(n):
        yield Cpu(int(table[i]))


def messages():
    """The kernel's own log, oldest first."""
    size = static("kmsg").type.sizeof
    ring, end, start = read(address("kmsg"), size), number("kmsg_end"), number("kmsg_start")
    start = max(start, end - size, 0)
    return bytes(ring[i % size] for i in range(start, end)).decode("utf-8", "backslashreplace")
