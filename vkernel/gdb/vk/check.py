# SPDX-License-Identifier: BSD-2-Clause
"""What must be true of a kernel that is stopped, wherever it was stopped.

A CPU may stand in the middle of a change.  So what a CPU owns is looked at only while it is in no critical section, what a
lock guards only while nobody has it, and the rest is what holds at each instruction.  Each check is a generator of
sentences, one for each thing that is wrong.
"""
from . import kernel, memory, slabs, stacks

CHECKS = []
USER_MAX = 1 << 47


def check(fn):
    CHECKS.append(fn)
    return fn


def quiet(cpu):
    """The CPU is not about to change what is its own."""
    return cpu.thread["td_crit"] == 0


@check
def thread_list():
    """All threads are in one list, with numbers of their own, on a stack of their own."""
    seen, stacks_of = {}, {}
    for td in kernel.threads():
        if td.id in seen:
            yield "threads %#x and %#x have the number %d" % (seen[td.id], td.addr, td.id)
        seen[td.id] = td.addr
        if td["td_state"] >= len(kernel.STATES):
            yield "thread %s has state %d" % (td, td["td_state"])
        if td["td_stack"] == 0:
            continue
        if td["td_stack"] in stacks_of:
            yield "threads %s and %s share a stack" % (stacks_of[td["td_stack"]], td)
        stacks_of[td["td_stack"]] = td
        if stacks.is_off(td):
            try:
                stacks.stack(td)
            except kernel.Broken as e:
                yield str(e)


@check
def run_queues():
    """c_runq: ready threads of this CPU, each in the queue of its priority; c_runmask tells which are not empty."""
    for c in kernel.cpus():
        if not quiet(c):
            continue
        head, size = c.at("c_runq"), kernel.Layout.of("list").size
        for pri in range(32):
            queue = [kernel.Thread(o.addr) for o in kernel.walk(head + pri * size, "thread", "td_runlink")]
            if bool(queue) != bool(c["c_runmask"] >> pri & 1):
                yield "cpu %d: c_runmask is %#x, and queue %d has %d threads" % (c.id, c["c_runmask"], pri, len(queue))
            for td in queue:
                if td.state != "ready" or td["td_cpu"] != c.addr or td["td_pri"] != pri:
                    yield "cpu %d: thread %s is in queue %d, %s, of priority %d, of cpu %s" % (
                        c.id, td, pri, td.state, td["td_pri"], td.cpu)


@check
def current_threads():
    """A thread that runs is some CPU's current one, and the other way round."""
    current = {c["c_curthread"]: c for c in kernel.cpus()}
    for c in current.values():
        td = c.thread
        if quiet(c) and td.state != "running":
            yield "cpu %d: its current thread %s is %s" % (c.id, td, td.state)
        if td["td_cpu"] != c.addr:
            yield "cpu %d: its current thread %s belongs to cpu %s" % (c.id, td, td.cpu)
    for td in kernel.threads():
        if td.state == "running" and td.addr not in current and quiet(kernel.Cpu(td["td_cpu"])):
            yield "thread %s runs, and no CPU says so" % td


@check
def tokens():
    """token.c, K2: a running thread owns the tokens that it says it has; one that does not run owns none."""
    for td in kernel.threads():
        if td["td_ntok"] > len(td["td_tok"]):
            yield "thread %s holds %d tokens" % (td, td["td_ntok"])
            continue
        for t in td.tokens:
            if td.state == "running" and quiet(kernel.Cpu(td["td_cpu"])) and t["t_owner"] != td.addr:
                yield "thread %s runs with token %s, whose owner is %#x" % (td, kernel.text(t["t_name"]), t["t_owner"])
            if td.state == "sleeping" and t["t_owner"] == td.addr:
                yield "thread %s sleeps and owns token %s" % (td, kernel.text(t["t_name"]))


@check
def rings():
    """ipi.c: in the ring of each pair of CPUs no more is taken than was put, and no more is there than has room."""
    n = kernel.number("cpu_count")
    for c in kernel.cpus():
        table = kernel.Object("ipi_cpu", c["c_ipi"])["i_ring"]
        for other in range(n):
            if table[other] == 0:
                continue
            r = kernel.Object("ipi_ring", table[other])
            there = (r["r_tail"] - r["r_head"]) & 0xffffffff
            if there > r["r_mask"] + 1:
                yield "the ring from cpu %d to cpu %d: %d put, %d taken" % (other, c.id, r["r_tail"], r["r_head"])


@check
def wait_queues():
    """Who waits in a queue is a thread that is there."""
    known = {td.addr for td in kernel.threads()}
    for td in kernel.threads():
        q = stacks.waitq(td)
        if q is None or kernel.Object("waitq", q)["wq_spin.sp_held"]:
            continue
        for w in kernel.walk(kernel.Object("waitq", q).at("wq_list"), "waiter", "w_link"):
            if w["w_thread"] not in known:
                yield "the queue at %#x, where thread %s waits, has a waiter of %#x, which is no thread" % (
                    q, td, w["w_thread"])


@check
def processes():
    """Parents and children know each other; a thread's process is one of those there are."""
    known = {p.addr: p for p in kernel.processes()}
    for p in known.values():
        for c in kernel.walk(p.at("p_children"), "proc", "p_sibling"):
            if c["p_parent"] != p.addr:
                yield "process %d is among the children of %d, and its parent is %#x" % (c["p_pid"], p.pid, c["p_parent"])
        if not p["p_sig.sp_held"]:
            n = sum(1 for _ in p.lwps)
            if n != p["p_nlwps"]:
                yield "process %d counts %d threads and has %d" % (p.pid, p["p_nlwps"], n)
    for td in kernel.threads():
        if td["td_lwp"] and td.state != "exited" and td.process.addr not in known and td.process["p_refs"] == 0:
            yield "thread %s is of a process at %#x that nobody holds" % (td, td.process.addr)


def lk_is_free(lk, path):
    return lk[path + ".lk_owner"] == 0 and lk[path + ".lk_spin.sp_held"] == 0


@check
def spaces():
    """What is mapped lies in order, apart, in the part of memory that is a program's."""
    for at in sorted({p["p_vmspace"] for p in kernel.processes()} - {0}):
        vs = kernel.Object("vmspace", at)
        if not lk_is_free(vs, "vs_lk"):
            continue
        end, n = 0, 0
        for e in memory.entries(vs):
            n += 1
            if not end <= e["e_start"] < e["e_end"] <= USER_MAX:
                yield "space %#x: an entry from %#x to %#x after one that ends at %#x" % (
                    at, e["e_start"], e["e_end"], end)
            if e["e_vs"] != at:
                yield "space %#x: its entry at %#x says that it belongs to %#x" % (at, e.addr, e["e_vs"])
            end = e["e_end"]
        if n != vs["vs_nentries"]:
            yield "space %#x counts %d entries and has %d" % (at, vs["vs_nentries"], n)


@check
def free_pages():
    """phys.c, I1: what is on a list of free runs is free, begins a run of that size, and is aligned to it."""
    phys = kernel.static("phys")
    if int(phys["ph_spin"]["sp_held"]):
        return
    first, _ = memory.all_pages()
    size = kernel.Layout.of("page").size
    heads, step = int(phys["ph_free"].address), kernel.Layout.of("list").size
    orders = phys["ph_free"].type.range()[1] + 1
    for order in range(orders):
        for pg in kernel.walk(heads + order * step, "page", "pg_link"):
            nr = (pg.addr - first) // size
            if pg["pg_refs"] != 0 or pg["pg_order"] != order or nr % (1 << order) != 0:
                yield "page %#x is on the list of free runs of 2^%d: refs %d, order %d" % (
                    nr * memory.PAGE, order, pg["pg_refs"], pg["pg_order"])


@check
def kernel_objects():
    """kmem.c: a slab's free objects and those in use are all there are; debug.c: what stands behind an object is whole."""
    if not all(quiet(c) for c in kernel.cpus()):
        return
    if not slabs.is_guarded():
        for _ in slabs.objects():		# walks the lists
            pass
        return
    for g in slabs.guards():
        if not g.is_whole:
            yield "the guard behind object %#x is overwritten: %#x" % (g.addr, g.state)
        elif g.overrun is not None:
            yield "object %#x of %d bytes, allocated by %s, was written past its end: at %#x is %#x" % (
                g.addr, g.bytes, slabs.place(g.callers[0][0]) if g.callers[0] else "?", g.addr + g.overrun,
                g.raw[g.overrun])


def run_all():
    """(name of the check, sentences)"""
    for fn in CHECKS:
        try:
            yield fn.__name__, list(fn())
        except kernel.Broken as e:
            yield fn.__name__, [str(e)]
