# SPDX-License-Identifier: BSD-2-Clause
"""Compare a trace in Perfetto's form, decoded by protobuf's own library, with the same events as lines.

    compare.py DIR_OF_perfetto_pb2 TRACE.pftrace TRACE.txt

Prints one line for each thing that is to hold, "NAME: COUNT WRONG", and the first that is wrong."""
import re
import sys

sys.path.insert(0, sys.argv[1])
import perfetto_pb2 as pb

LINE = re.compile(r"(\d+)\.(\d{9}) cpu(\d+) (\d+) \[(\d+)\] (.*)")
LOST = re.compile(r"# cpu(\d+): (\d+) events lost")
STATES = {"running": 2, "ready": 2, "asleep": 4, "moving": 5, "ended": 7}
RUNNING, RUNNABLE = 3, 2
wrong, seen = {}, {}


def holds(name, good, what):
    seen[name] = seen.get(name, 0) + 1
    if not good:
        wrong.setdefault(name, []).append(what)


class Event:
    def __init__(self, m):
        self.ns = int(m[1]) * 10 ** 9 + int(m[2])
        self.cpu, self.number, self.thread, self.text = int(m[3]), int(m[4]), int(m[5]), m[6]


def events(path):
    with open(path) as f:
        for line in f:
            m, lost = LINE.match(line), LOST.match(line)
            if m:
                yield Event(m)
            elif lost:
                yield int(lost[1]), int(lost[2])
            else:
                holds("each line is an event", False, line)


def packets(path):
    trace = pb.Trace()
    with open(path, "rb") as f:
        trace.ParseFromString(f.read())
    yield from trace.packet


class Reader:
    """Packets one after another; descriptions are taken in on the way."""

    def __init__(self, path):
        self.names, self.words, self.tracks, self.comm, self.all = {}, {}, {}, {}, packets(path)

    def next(self):
        for p in self.all:
            holds("no field is unknown", len(p.UnknownFields()) == 0, p)
            if p.HasField("interned_data"):
                self.names.update((n.iid, n.name) for n in p.interned_data.event_names)
                self.words.update((n.iid, n.name) for n in p.interned_data.debug_annotation_names)
            elif p.HasField("track_descriptor"):
                self.tracks[p.track_descriptor.uuid] = p.track_descriptor.thread.tid
            elif p.HasField("generic_kernel_process_tree"):
                for t in p.generic_kernel_process_tree.threads:
                    self.comm[t.tid] = t.comm
                    if p.timestamp != 0:
                        return p
            else:
                return p
        return None


def state_is(p, e, tid, state):
    s = p.generic_kernel_task_state_event
    return p.HasField("generic_kernel_task_state_event") and (p.timestamp, s.cpu, s.tid, s.state) == \
        (e.ns, e.cpu, tid, state)


def compare(trace, lines):
    r, last, stamp, flow, owner = Reader(trace), {}, 0, {}, {}
    waits = set()
    for e in events(lines):
        if isinstance(e, tuple):
            holds("what is lost", r.next().previous_packet_dropped == 1, e)
            if e[0] in last:
                last[e[0]] += e[1]
            continue
        holds("a CPU's events have its numbers in a row", last.get(e.cpu, e.number - 1) == e.number - 1, vars(e))
        last[e.cpu] = e.number
        holds("in the order of time", e.ns >= stamp, vars(e))
        stamp = e.ns
        m = re.match(r"(switch|ready|thread|name|end|wake|migrate|ipi send|ipi run|msg send|msg take|msg reply|token wait"
                     r"|token got|idle|mark)(?: (.*))?$", e.text)
        kind, rest = m[1], m[2] or ""
        if kind == "token got" and e.thread not in waits:
            continue
        p = r.next()
        if kind == "switch":
            to, was = re.match(r"thread (\d+), (\w+)", rest).groups()
            holds("switches", state_is(p, e, e.thread, STATES[was]) and
                  state_is(r.next(), e, int(to), RUNNING), (vars(e), p))
            continue
        if kind == "thread":
            tid, name = re.match(r"thread (\d+) (.*)", rest).groups()
            t = p.generic_kernel_process_tree.threads[0]
            holds("threads", (p.timestamp, t.tid, t.comm) == (e.ns, int(tid), name), (vars(e), p))
            continue
        if kind == "name":
            tid, name = re.match(r"thread (\d+) (.*)", rest).groups()
            t = p.generic_kernel_task_rename_event
            holds("threads", (p.timestamp, t.tid) == (e.ns, int(tid)) and t.comm.endswith(name), (vars(e), p))
            continue
        te = p.track_event
        notes = {r.words[a.name_iid]: a.string_value or a.pointer_value or a.uint_value
                 for a in te.debug_annotations}
        began = 1 if kind == "token wait" else 2 if kind == "token got" else 3
        holds("what happened, when, and to whom", (p.timestamp, r.tracks.get(te.track_uuid), te.type) ==
              (e.ns, e.thread, began) and (began == 2 or r.names[te.name_iid] == kind), (vars(e), p))
        waits.add(e.thread) if began == 1 else waits.discard(e.thread) if began == 2 else None
        if kind.startswith("msg"):
            address = rest.split()[0]
            holds("addresses", notes.get("address") == int(address, 16), (vars(e), notes))
            f = list(te.flow_ids) + list(te.terminating_flow_ids)
            if kind == "msg send":
                holds("each sending is a flow of its own", len(f) == 1 and f[0] not in owner, (vars(e), p))
                flow[address] = f[0]
                owner[f[0]] = address
            elif address in flow:
                holds("a message's flow goes from its sender to its answer", f == [flow[address]], (vars(e), p))
                if kind == "msg reply":
                    holds("and ends there", len(te.terminating_flow_ids) == 1, p)
                    del flow[address]
        elif kind.startswith("ipi"):
            function, cpu, number = re.match(r"(\S+) cpu(\d+) #(\d+)", rest).groups()
            holds("interrupt messages", (str(notes["function"]), notes["cpu"], notes["number"]) ==
                  (function, int(cpu), int(number)) or function.startswith("0x"), (vars(e), notes))
            pair = (e.cpu, int(cpu)) if kind == "ipi send" else (int(cpu), e.cpu)
            key = ("ipi", pair, number)
            if kind == "ipi send":
                owner[key] = list(te.flow_ids)
            elif key in owner:
                holds("a pair's messages run in order, each once", owner.pop(key) == list(te.flow_ids) and
                      flow.get(pair, -1) < int(number), (vars(e), p))
                flow[pair] = int(number)
        elif kind == "ready":
            tid = int(rest.split()[1])
            holds("who may run", state_is(r.next(), e, tid, RUNNABLE), vars(e))
    holds("nothing more", r.next() is None, "")


compare(sys.argv[2], sys.argv[3])
for name in sorted(seen):
    print("%s: %d %d" % (name, seen[name], len(wrong.get(name, []))))
for name in sorted(wrong):
    print("WRONG %s: %s" % (name, wrong[name][0]))
