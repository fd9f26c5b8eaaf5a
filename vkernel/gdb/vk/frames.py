# SPDX-License-Identifier: BSD-2-Clause
"""The stack of a kernel thread that does not run.

md_ctx_switch() leaves a thread's registers on its stack, in the order of SAVED, and td_sp below them; on a PC
user_enter() does so with its caller's, in the order of ENTERED, while the CPU is in a program.  GDB cannot be given
other registers where there is nothing to write to, as in a core; but it asks unwinders who called a frame.  Ours says
of the frame that really runs that the chosen thread's called it.  So frame 0 stays what runs, and from frame 1 on "bt",
"up", "info locals" and the rest are about the chosen thread.
"""
import struct

import gdb
from gdb.unwinder import Unwinder, register_unwinder

from . import kernel, stacks

SAVED = ("rbp", "r15", "r14", "r13", "r12", "rbx", "rip")	# platform/*/cpu/ctx.S
ENTERED = ("r15", "r14", "r13", "r12", "rbp", "rbx", "rip")	# platform/pc64/cpu/gate.S


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


def taken(order, sp, raw):
    regs = dict(zip(order, struct.unpack_from("<%dQ" % len(order), raw)))
    regs["rsp"] = sp + 8 * len(order)
    return regs


def saved(td):
    """A thread's registers; None: its code runs, or it has no stack."""
    if stacks.is_off(td):
        return taken(SAVED, *stacks.stack(td))
    sp = entered(td) if td.state == "running" and kernel.is_pc() else None
    return taken(ENTERED, sp, kernel.read(sp, 8 * len(ENTERED))) if sp else None


def entered(td):
    """Where user_enter() left the registers of a thread whose CPU, a PC's, is in a program; None: it is in none.

    That CPU is one of GDB's threads.  A program's GS base may be anything; the hidden one is the kernel's then.
    """
    was = gdb.selected_thread()
    try:
        for t in gdb.selected_inferior().threads():
            t.switch()
            frame = gdb.newest_frame()
            if int(frame.read_register("cs")) & 3 == 0:
                continue
            pc = kernel.Object("pc_cpu", int(frame.read_register("k_gs_base")) % (1 << 64))
            if pc["pc_area"] == td["td_cpu"]:
                return pc["pc_kernel_rsp"]
    finally:
        if was is not None and was.is_valid():
            was.switch()
    return None


class Chosen(Unwinder):
    def __init__(self):
        super().__init__("vk")
        self.regs = None
        self.top = None

    def choose(self, regs):
        """None: nobody, the real stack again."""
        self.regs = None
        gdb.invalidate_cached_frames()
        frame = gdb.newest_frame()
        self.top = (int(frame.read_register("rip")), int(frame.read_register("rsp")))
        self.regs = regs
        gdb.invalidate_cached_frames()

    def __call__(self, pending):
        if self.regs is None:
            return None
        pc, sp = pending.read_register("rip"), pending.read_register("rsp")
        if (int(pc), int(sp)) != self.top:
            return None
        word = gdb.lookup_type("unsigned long")
        # Deeper than the chosen stack: GDB ends a backtrace whose frames go the wrong way.
        info = pending.create_unwind_info(FrameId(gdb.Value(self.regs["rsp"] - 8).cast(word), pc))
        for name, v in self.regs.items():
            info.add_saved_register(name, gdb.Value(v).cast(word))
        return info


chosen = Chosen()
register_unwinder(None, chosen, replace=True)


def gone_on(event):
    """What a thread had saved is of the past."""
    chosen.regs = None


gdb.events.cont.connect(gone_on)


def stack_of(td, most=64):
    """The gdb.Frames of a thread, innermost first.  What was chosen stays so."""
    regs, before = saved(td), chosen.regs
    if regs is None:
        yield from stack_of_running(td, most)
        return
    chosen.choose(regs)
    try:
        yield from callers(gdb.newest_frame().older(), most)
    finally:
        chosen.choose(before)


def callers(frame, most):
    """A frame and who called it; nobody is called from 0."""
    while frame is not None and frame.pc() != 0 and most > 0:
        yield frame
        frame, most = frame.older(), most - 1


def stack_of_running(td, most):
    """Of GDB's own threads, which are CPUs, one is on this stack; perhaps it called something beyond it."""
    if td.state != "running":
        return
    was, before, top = gdb.selected_thread(), chosen.regs, td.top
    chosen.choose(None)
    try:
        for t in gdb.selected_inferior().threads():
            t.switch()
            for frame in callers(gdb.newest_frame(), most):
                if td["td_stack"] <= int(frame.read_register("rsp")) < top:
                    yield from callers(frame, most)
                    return
    finally:
        if was is not None and was.is_valid():
            was.switch()
        chosen.choose(before)
