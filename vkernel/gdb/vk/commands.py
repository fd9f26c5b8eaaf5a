# SPDX-License-Identifier: BSD-2-Clause
"""What a person types.  Each command is a class whose text is its help; its arguments are words."""
import gdb

from . import check, files, frames, kernel, memory, slabs, stacks, waits

COMMANDS = []


class Prefix(gdb.Command):
    """The kernel: threads, processes, locks, memory, files.  "help vk" lists the commands."""

    def __init__(self):
        super().__init__("vk", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)


class Command(gdb.Command):
    """run(words) prints; options: {"-name": number of values}, which it finds in self.given."""

    options = {}
    words = (0, 0)		# how many others, at least and at most

    def __init_subclass__(cls):
        COMMANDS.append(cls)

    def __init__(self):
        super().__init__("vk " + type(self).__name__.lower(), gdb.COMMAND_DATA)

    def invoke(self, arg, from_tty):
        words, self.given, todo = [], {}, gdb.string_to_argv(arg)
        while todo:
            w = todo.pop(0)
            if w not in self.options:
                words.append(w)
                continue
            n = self.options[w]
            if len(todo) < n:
                raise gdb.GdbError("vk: %s wants a value" % w)
            self.given[w] = todo.pop(0) if n else True
        if any(w.startswith("-") for w in words) or not self.words[0] <= len(words) <= self.words[1]:
            raise gdb.GdbError(type(self).__doc__)
        try:
            kernel.must_be_ours()
            self.run(words)
        except kernel.Broken as e:
            raise gdb.GdbError("vk: " + str(e)) from None


def integer(w):
    try:
        return int(gdb.parse_and_eval(w))
    except gdb.error as e:
        raise gdb.GdbError("vk: %s: %s" % (w, e)) from None


def address(w):
    """Of kernel memory, which is in the upper half on a PC: also when the expression's type has a sign."""
    return integer(w) % (1 << 64)


def say(form, *args):
    gdb.write(form % args + "\n")


def table(head, rows):
    """Columns as wide as needed; numbers to the right."""
    rows = [tuple(r) for r in rows]
    wide = [max([len(h)] + [len(str(r[i])) for r in rows]) for i, h in enumerate(head)]
    right = [all(isinstance(r[i], int) for r in rows) and bool(rows) for i in range(len(head))]
    for r in [head] + rows:
        say("%s", " ".join(str(v).rjust(w) if to_right else str(v).ljust(w)
                           for v, w, to_right in zip(r, wide, right)).rstrip())


def why(td):
    """What keeps a thread from running, in a few words."""
    w = waits.wait_of(td)
    return "" if w is None else str(w)


def owner(td):
    p = td.process
    return "" if p is None else "%d" % p.pid


class Info(Command):
    """vk info
What this kernel is, and how it is doing."""

    def run(self, words):
        program = gdb.current_progspace()
        build_id = next((o.build_id for o in program.objfiles() if o.filename == program.filename), None)
        cpus = list(kernel.cpus())
        say("kernel     %s, build id %s", program.filename, build_id)
        say("cpus       %d", len(cpus))
        say("threads    %d", sum(1 for _ in kernel.threads()))
        say("processes  %d", sum(1 for _ in kernel.processes()))
        _, pages = memory.all_pages()
        free, reserved = int(kernel.static("phys")["ph_nfree"]), int(kernel.static("phys")["ph_reserved"])
        say("memory     %d MiB, %d MiB free", (pages - reserved) * memory.PAGE >> 20, free * memory.PAGE >> 20)
        who = kernel.number("panicking")
        if who:
            lines = [m.split("damselfly: ", 1)[1] for m in kernel.messages().split("\n") if "damselfly: " in m]
            ends = [m for m in lines if m.startswith(("panic: ", "hang: "))]
            say("ended      on cpu %d%s", who - 1, ", " + ends[0] if ends else "")


class Threads(Command):
    """vk threads [-cpu N] [-state STATE] [-proc PID]
All kernel threads, or some of them: number, CPU, state, priority, process, name, and what it waits for."""

    options = {"-cpu": 1, "-state": 1, "-proc": 1}

    def run(self, words):
        ids = {c.addr: c.id for c in kernel.cpus()}
        cpu = integer(self.given["-cpu"]) if "-cpu" in self.given else None
        space = kernel.process(integer(self.given["-proc"])).addr if "-proc" in self.given else None
        pids = {}

        def pid(td):
            at = td["td_lwp"]
            if at == 0:
                return ""
            proc = kernel.Object("lwp", at)["l_proc"]
            if proc not in pids:
                pids[proc] = kernel.Process(proc).pid
            return pids[proc]

        rows = []
        for td in kernel.threads():
            if cpu is not None and ids.get(td["td_cpu"]) != cpu:
                continue
            if self.given.get("-state", td.state) != td.state:
                continue
            if space is not None and (td["td_lwp"] == 0 or td.lwp["l_proc"] != space):
                continue
            rows.append((td.id, ids.get(td["td_cpu"], "?"), td.state, td["td_pri"], pid(td), td.name, why(td)))
        table(("ID", "CPU", "STATE", "PRI", "PID", "NAME", "WAITS FOR"), rows)


class Ps(Command):
    """vk ps [-t]
All processes; -t: and their threads."""

    options = {"-t": 0}

    def run(self, words):
        rows = []
        for p in kernel.processes():
            vs = kernel.Object("vmspace", p["p_vmspace"]) if p["p_vmspace"] else None
            rows.append((p.pid, p["p_ppid"], p["p_nlwps"], p.state,
                         (vs["vs_anon"] + vs["vs_other"]) * memory.PAGE >> 10 if vs else 0, p["p_comm"]))
            if "-t" in self.given:
                for l in p.lwps:
                    td = kernel.Thread(l["l_thread"])
                    rows.append((p.pid, l["l_tid"], "", td.state, "", "  thread %s: %s" % (td, why(td) or td.state)))
        table(("PID", "PPID", "LWPS", "STATE", "RSS", "COMMAND"), rows)


class Cpu(Command):
    """vk cpu [N]
What each CPU runs, with which tokens, and what is ready behind it."""

    words = (0, 1)

    def run(self, words):
        for c in kernel.cpus():
            if words and c.id != integer(words[0]):
                continue
            td = c.thread
            say("cpu %d: thread %s%s%s, mailbox %#x, %d switches", c.id, td,
                " (idle)" if td.addr == c["c_idle"] else "",
                ", in %d critical sections" % td["td_crit"] if td["td_crit"] else "", c["c_mailbox"], c["c_switches"])
            for t in td.tokens:
                say("  holds token %s %#x", kernel.text(t["t_name"]), t.addr)
            size = kernel.Layout.of("list").size
            for pri in range(31, -1, -1):
                for o in kernel.walk(c.at("c_runq") + pri * size, "thread", "td_runlink"):
                    say("  ready %s, priority %d", kernel.Thread(o.addr), pri)


def place(frame):
    sal, newer = frame.find_sal(), frame.newer()
    if newer is not None and newer.type() == gdb.SIGTRAMP_FRAME and newer.name() == "on_host_stack":
        sal = gdb.find_pc_line(frame.pc() - 1)		# GDB takes the door for a signal's, which is no call
    name = frame.name() or "%#x" % frame.pc()
    return name if sal.symtab is None else "%s (%s:%u)" % (name, sal.symtab.filename, sal.line)


class Bt(Command):
    """vk bt TID|all [-full]
Who called whom in a thread that does not run, or in all of them; -full: with the variables."""

    options = {"-full": 0}
    words = (1, 1)

    def run(self, words):
        chosen = list(kernel.threads()) if words[0] == "all" else [kernel.thread(integer(words[0]))]
        for td in chosen:
            say("thread %s, %s", td, td.state)
            try:
                self.stack(td)
            except kernel.Broken as e:
                say("vk: %s", e)		# of this one: the others may be whole

    def stack(self, td):
        for n, frame in enumerate(frames.stack_of(td)):
            say("#%-2d %s", n, place(frame))
            if "-full" in self.given:
                self.variables(frame)

    @staticmethod
    def variables(frame):
        try:
            block = frame.block()
        except RuntimeError:
            return
        while block is not None and not block.is_static and not block.is_global:
            for sym in block:
                if sym.is_variable or sym.is_argument:
                    say("        %s = %s", sym.name, frame.read_var(sym))
            if block.function is not None:
                return
            block = block.superblock


class Switch(Command):
    """vk switch [TID]
GDB's own bt, up, info locals and the rest are about that thread from now on, from frame 1 on; without TID about
what really runs."""

    words = (0, 1)

    def run(self, words):
        if not words:
            frames.chosen.choose(None)
            return
        td = kernel.thread(integer(words[0]))
        regs = frames.saved(td)
        if regs is None:
            raise gdb.GdbError("vk: thread %s %s: see GDB's own threads" % (td, td.state))
        frames.chosen.choose(regs)
        gdb.newest_frame().older().select()
        say("thread %s, %s", td, td.state)


class Dmesg(Command):
    """vk dmesg
The kernel's own log."""

    def run(self, words):
        gdb.write(kernel.messages())


class Ports(Command):
    """vk ports [ADDR]
Ports where somebody waits or is waited for, or one of them: who takes from it, and the messages in it."""

    words = (0, 1)

    def run(self, words):
        known, waiting, calls = {td.addr: td for td in kernel.threads()}, {}, {}
        for td in known.values():
            w = waits.wait_of(td)
            if w is not None and w.kind == "port":
                waiting.setdefault(w.addr, []).append(td)
            if w is not None and w.kind == "reply":
                calls.setdefault(w.port.addr, []).append((w.message, td))
        ports = [address(words[0])] if words else sorted(set(waiting) | set(calls))
        for at in ports:
            p = kernel.Object("port", at)
            taker = known.get(p["p_taker"])
            say("port %#x%s%s", at, ", %s" % kernel.name_of(p["p_put"]),
                ", last taken from by thread %s" % taker if taker else "")
            for td in waiting.get(at, ()):
                say("  thread %s waits for messages", td)
            for q in ("p_prio", "p_queue"):
                for m in kernel.walk(p.at(q), "msg", "m_link"):
                    say("  message %#x, op %d, in %s", m.addr, m["m_op"], q)
            for m, td in calls.get(at, ()):
                say("  thread %s waits for the reply to %#x, op %d%s", td, m.addr, m["m_op"],
                    ", still queued" if m["m_flags"] & waits.MSG_QUEUED else "")


class Tokens(Command):
    """vk tokens [-held|-contended]
Tokens that somebody holds or waits for: owner, how often it took it, and who waits."""

    options = {"-held": 0, "-contended": 0}

    def run(self, words):
        known = {td.addr: td for td in kernel.threads()}
        held, wanted = {}, {}
        for td in known.values():
            for at in td["td_tok"][:td["td_ntok"]]:
                held.setdefault(at, {}).setdefault(td.addr, 0)
                held[at][td.addr] += 1
            w = waits.wait_of(td)
            if w is not None and w.kind == "token":
                wanted.setdefault(w.addr, []).append(td)
        for at in sorted(set(held) | set(wanted)):
            t = kernel.Object("token", at)
            who = known.get(t["t_owner"])
            if "-held" in self.given and who is None or "-contended" in self.given and at not in wanted:
                continue
            say("token %s %#x: %s", kernel.text(t["t_name"]), at,
                "thread %s, %d times" % (who, held.get(at, {}).get(who.addr, 0)) if who else "free")
            for td in wanted.get(at, ()):
                say("  thread %s waits for it", td)
            for td in held.get(at, ()):
                if known[td].state != "running" and (who is None or td != who.addr):
                    say("  thread %s gets it back before it goes on", known[td])


class Waits(Command):
    """vk waits
Who waits for whom, and each circle of those."""

    def run(self, words):
        known, waiting, edges = waits.graph()
        for at in edges:
            for h in edges[at]:
                say("thread %s waits for %s: thread %s, %s", known[at], waiting[at], known[h], known[h].state)
        circles = waits.cycles(edges)
        for circle in circles:
            say("cycle: %s", "".join("%s --%s--> " % (known[at], waiting[at]) for at in circle) + str(known[circle[0]]))
        if not circles:
            say("no cycle")


class Ipi(Command):
    """vk ipi [CPU]
Messages between CPUs that are not yet taken: for each pair how many were put and taken, and what they will call."""

    words = (0, 1)

    def run(self, words):
        n = kernel.number("cpu_count")
        for c in kernel.cpus():
            if words and c.id != integer(words[0]):
                continue
            rings = kernel.Object("ipi_cpu", c["c_ipi"])["i_ring"]
            for other in range(n):
                if rings[other]:
                    self.ring(kernel.Object("ipi_ring", rings[other]), other, c.id)

    @staticmethod
    def ring(r, sender, target):
        put, taken = r["r_tail"], r["r_head"]
        if put == 0:
            return
        there = (put - taken) & 0xffffffff
        say("cpu %d to %d: put %d, taken %d%s", sender, target, put, taken, ", %d in flight" % there if there else "")
        entry = kernel.Layout.of("ipi_entry").size
        for i in range(min(there, r["r_mask"] + 1)):
            e = kernel.Object("ipi_entry", r.at("r_entry") + (taken + i & r["r_mask"]) * entry)
            say("  %s(%#x, %#x)", kernel.name_of(e["fn"]), e["arg"], e["value"])


class Vm(Command):
    """vk vm PID [-pages ADDR]
What a process has mapped; -pages: the pages behind the mapping at ADDR."""

    options = {"-pages": 1}
    words = (1, 1)

    def run(self, words):
        p = kernel.process(integer(words[0]))
        if p["p_vmspace"] == 0:
            raise gdb.GdbError("vk: process %d has no memory any more" % p.pid)
        vs = kernel.Object("vmspace", p["p_vmspace"])
        if "-pages" in self.given:
            at = integer(self.given["-pages"])
            self.pages(next((e for e in memory.entries(vs) if e["e_start"] <= at < e["e_end"]), None), at)
            return
        for e in memory.entries(vs):
            say("%012x-%012x %s %08x %s", e["e_start"], e["e_end"], memory.protection(e), e["e_off"], memory.what(e))

    @staticmethod
    def pages(e, at):
        if e is None:
            raise gdb.GdbError("vk: nothing is mapped at %#x" % at)
        if e["e_obj"] == 0:
            say("no object: zeros, and the pages of its own")
            return
        first, last = e["e_off"] // memory.PAGE, (e["e_off"] + e["e_end"] - e["e_start"]) // memory.PAGE
        for pg in memory.pages(kernel.Object("vmobj", e["e_obj"])):
            if first <= pg["pg_index"] < last:
                say("%012x page %#x refs %d %s", e["e_start"] + (pg["pg_index"] - first) * memory.PAGE,
                    memory.address_of(pg.addr), pg["pg_refs"], memory.flags(pg))


class Page(Command):
    """vk page ADDR
The page at a physical address: its owner, its place there, references and flags."""

    words = (1, 1)

    def run(self, words):
        pa = integer(words[0])
        pg = memory.page_at(pa)
        say("page %#x (struct page at %#x): refs %d, %s, index %#x, owner %#x", pa // memory.PAGE * memory.PAGE, pg.addr,
            pg["pg_refs"], memory.flags(pg) or "no flags", pg["pg_index"], pg["pg_owner"])


class Kmem(Command):
    """vk kmem [ADDR|-by DEPTH]
What the kernel has allocated: how many objects of each size; with the kernel argument kmem_debug, from where, -by how
many callers (1).  ADDR: the object that it lies in, and who allocated it."""

    options = {"-by": 1}
    words = (0, 1)

    def run(self, words):
        if words:
            self.one(address(words[0]))
        elif slabs.is_guarded():
            self.places(integer(self.given.get("-by", "1")))
        else:
            count = {}
            for _, room, _ in slabs.objects():
                count[room] = count.get(room, 0) + 1
            table(("SIZE", "OBJECTS", "BYTES"), ((room, n, room * n) for room, n in sorted(count.items())))

    @staticmethod
    def places(depth):
        count = {}
        for g in slabs.guards():
            if g.state == slabs.LIVE:
                of = count.setdefault(g.callers[0][:depth], [0, 0])
                of[0] += 1
                of[1] += g.bytes
        rows = sorted(((n, size, " < ".join(slabs.place(pc) for pc in pcs)) for pcs, (n, size) in count.items()),
                      reverse=True)
        table(("OBJECTS", "BYTES", "ALLOCATED BY"), rows)

    @staticmethod
    def one(addr):
        found = slabs.holder(addr)
        if found is None:
            raise gdb.GdbError("vk: %#x is in no object that is in use" % addr)
        obj, room, raw = found
        say("object %#x, with room for %d bytes; %#x is its byte %d", obj, room, addr, addr - obj)
        if not slabs.is_guarded() or room == slabs.BLOCK:
            return
        g = slabs.Guard(obj, raw if raw is not None else kernel.read(obj, room))
        if not g.is_whole:
            say("its guard is overwritten")
            return
        say("%d bytes were asked for", g.bytes)
        if g.overrun is not None:
            say("written past its end, at byte %d", g.overrun)
        for k, what in enumerate(("allocated", "freed")):
            if k == 0 or g.state == slabs.FREED:
                say("%s by thread %d:", what, g.threads[k])
                for pc in g.callers[k]:
                    say("  %s", slabs.place(pc))


class Vfs(Command):
    """vk vfs [PATH [DEPTH]]
The names that the kernel has in its cache, below the root or below PATH: with references, and the vnode."""

    words = (0, 2)

    def run(self, words):
        n = files.find(words[0] if words else "/")
        for depth, c in files.tree(n, integer(words[1]) if len(words) > 1 else 1):
            v = kernel.Object("vnode", c["n_vnode"]) if c["n_vnode"] else None
            say("%s%s  refs %d, %s", "  " * depth, files.path(c.addr) if depth == 0 else files.last(c), c["n_refs"],
                "%s %#x" % (files.TYPES.get(v["v_type"], "?"), v.addr) if v else "not there")


class Mounts(Command):
    """vk mounts
What is mounted, where, and how often it is used."""

    def run(self, words):
        table(("ID", "FILESYSTEM", "ON", "SOURCE", "FLAGS", "REFS"),
              ((m["mp_id"], files.filesystem(m), files.mount_place(m), kernel.text(m["mp_source"]) or "-",
                "%#x" % m["mp_flags"], m["mp_refs"]) for m in files.mounts()))


class Fds(Command):
    """vk fds PID
The files that a process has open."""

    words = (1, 1)

    def run(self, words):
        table(("FD", "ACCESS", "OFFSET", "REFS", "FILE", "NAME"),
              ((fd, files.ACCESS[f["f_flags"] & 3], f["f_off"], f["f_refs"], "%#x" % f.addr, files.file_name(f))
               for fd, f in files.descriptors(kernel.process(integer(words[0])))))


class Check(Command):
    """vk check
What must be true of this kernel, and is not."""

    def run(self, words):
        wrong = 0
        for name, sentences in check.run_all():
            for s in sentences:
                say("%s: %s", name, s)
            wrong += len(sentences)
        say("%d checks, %d things wrong", len(check.CHECKS), wrong)


class Convenience(gdb.Function):
    def __init__(self, name, fn):
        self.fn = fn
        super().__init__(name)

    def invoke(self, *args):
        try:
            kernel.must_be_ours()
            return self.fn(*[int(a) for a in args])
        except kernel.Broken as e:
            raise gdb.GdbError("vk: " + str(e)) from None


def pointer(o):
    return o.value.address


Prefix()
for c in COMMANDS:
    c()
Convenience("_vk_thread", lambda ident: pointer(kernel.thread(ident)))
Convenience("_vk_proc", lambda pid: pointer(kernel.process(pid)))
Convenience("_vk_cpu", lambda n: pointer(next(c for c in kernel.cpus() if c.id == n)))
