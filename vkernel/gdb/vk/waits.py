# SPDX-License-Identifier: BSD-2-Clause
"""Who waits for what, for whom, and in a circle.

What a sleeping thread waits for is told by the functions on its stack and by the wait queue it is in, which is part
of the lock, token or port.  Locks and tokens name their holders.  A call's answer is awaited from whoever took a
message from that port last.  Of a lock that is shared only the witness (kernel argument "witness") knows who has it.
"""
import gdb

from . import kernel, stacks

# By which function somebody waits for what, and where the queue is in that.
KINDS = {
    "lk_excl": ("lk", "lk_waitq"), "lk_shared": ("lk", "lk_waitq"), "lk_excl_slow": ("lk", "lk_waitq"),
    "token_get": ("token", "t_waitq"), "port_wait": ("port", "p_waitq"),
    "port_call": ("reply", "p_waitq"), "port_call_until": ("reply", "p_waitq"),
}
STRUCTS = {"reply": "port"}
# How somebody sleeps, not why.
ASLEEP = ("lwkt_switch_bare", "lwkt_switch", "lwkt_sleep", "sleep_once", "wait_sleep", "sleep_until", "wait_turn")
MSG_QUEUED = 16


class Wait:
    """kind: "lk", "token", "port" (for work), "reply", or the name of the function that waits; addr: of what, or 0."""

    def __init__(self, kind, addr):
        self.kind, self.addr = kind, addr

    @property
    def holders(self):
        """Addresses of the threads that must do something first."""
        if self.kind == "token":
            return [o for o in [kernel.Object("token", self.addr)["t_owner"]] if o]
        if self.kind == "lk":
            owner = kernel.Object("lk", self.addr)["lk_owner"]
            return [owner] if owner else sharers(self.addr)
        if self.kind == "reply":
            taker = self.port["p_taker"]
            return [taker] if taker else []
        return []

    @property
    def message(self):
        return kernel.Object("msg", kernel.Object("port", self.addr)["p_arg"])

    @property
    def port(self):
        return kernel.Object("port", self.message["m_port"])

    def __str__(self):
        if self.addr == 0:
            return self.kind
        if self.kind == "token":
            return "token %s %#x" % (kernel.text(kernel.Object("token", self.addr)["t_name"]), self.addr)
        if self.kind == "lk":
            return "lk %s %#x" % (rank_name(kernel.Object("lk", self.addr)["lk_rank"]), self.addr)
        if self.kind == "reply":
            m = self.message
            return "reply to message %#x, %s port %#x" % (
                m.addr, "queued at" if m["m_flags"] & MSG_QUEUED else "taken from", m["m_port"])
        return "%s %#x" % (self.kind, self.addr)


def rank_name(rank):
    for f in gdb.lookup_type("enum lock_rank").fields():
        if f.enumval == rank:
            return f.name.removeprefix("LR_") if hasattr(str, "removeprefix") else f.name[3:]
    return "rank %d" % rank


def sharers(lk):
    held = kernel.Layout.of("thread").find("td_held")
    size = held[1].sizeof // (held[1].range()[1] + 1)
    out = []
    for td in kernel.threads():
        for i in range(td["td_nheld"]):
            at = held[0] + i * size
            if int.from_bytes(td.bytes[at:at + 8], "little") == lk:
                out.append(td.addr)
    return out


def wait_of(td):
    """The Wait of a sleeping thread; None: it does not sleep."""
    if td.state != "sleeping":
        return None
    try:
        return wait_on_stack(td)
    except kernel.Broken:
        return Wait("?", 0)		# vk check tells of it


def wait_on_stack(td):
    queue = stacks.waitq(td)
    for name in stacks.callers(td):
        if queue is not None and name in KINDS:
            kind, field = KINDS[name]
            return Wait(kind, queue - kernel.Layout.of(STRUCTS.get(kind, kind)).offset(field))
        if name not in ASLEEP and name not in KINDS:
            return Wait(name, 0)
    return Wait("?", 0)


def graph():
    """{address: Thread}, {address: Wait} of those that sleep, {address: [addresses of holders that are there]}."""
    all_threads = {td.addr: td for td in kernel.threads()}
    waits, edges = {}, {}
    for td in all_threads.values():
        w = wait_of(td)
        if w is None:
            continue
        waits[td.addr] = w
        edges[td.addr] = [h for h in w.holders if h in all_threads]
    return all_threads, waits, edges


def cycles(edges):
    """Each circle once, as a list of addresses that begins with the least."""
    found, done = [], set()
    for start in sorted(edges):
        path, place, todo = [], {}, [(start, 0)]
        while todo:
            at, depth = todo.pop()
            while len(path) > depth:		# back up
                done.add(path[-1])
                del place[path.pop()]
            if at in place:
                circle = path[place[at]:]
                least = circle.index(min(circle))
                found.append(circle[least:] + circle[:least])
            elif at not in done:
                place[at] = depth
                path.append(at)
                todo.extend((h, depth + 1) for h in edges.get(at, ()))
        done.update(path)
    return found
