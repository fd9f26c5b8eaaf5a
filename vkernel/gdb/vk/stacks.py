# SPDX-License-Identifier: BSD-2-Clause
"""What is on the stack of a thread that does not run: who called whom, and the wait queue it is in.

By frame pointers and bytes, which is cheap: for all of ten thousand threads.  For one of them frames.py asks GDB,
which knows the variables too.
"""
import struct

import gdb

from . import kernel

PAGE = 4096
WORD, TWO_WORDS = struct.Struct("<Q").unpack_from, struct.Struct("<QQ").unpack_from


def is_off(td):
    """It has a stack, and its registers lie there."""
    return td.state not in ("running", "exited") and td["td_stack"] != 0


def stack(td):
    """(address, bytes) of what is used of its stack; read once."""
    sp, top = td["td_sp"], td.top
    if not td["td_stack"] <= sp < top:
        raise kernel.Broken("thread %s: its stack pointer %#x is not on its stack" % (td, sp))
    if td.used is None:
        td.used = kernel.read(sp, top - sp)
    return sp, td.used


def pcs(td, most=32):
    """Return addresses, innermost first."""
    if not is_off(td):
        return
    sp, used = stack(td)
    fp, end = WORD(used, 0)[0], sp + len(used) - 16
    while sp < fp <= end and most > 0:
        older, pc = TWO_WORDS(used, fp - sp)
        if pc == 0:
            return
        yield pc
        if older <= fp:
            return
        fp, most = older, most - 1


def functions(pc):
    """The function that a return address goes back to, before it what was put inline there, innermost first."""
    inline, block = [], gdb.block_for_pc(pc - 1)
    while block is not None and not block.is_static and not block.is_global:
        if block.function is not None:
            inline.append(block.function.name)
        block = block.superblock
    return inline or ["%#x" % pc]


def callers(td):
    names = kernel.once("functions", dict)
    for pc in pcs(td):
        if pc not in names:
            names[pc] = functions(pc)
        yield from names[pc]


def waitq(td):
    """The address of the struct waitq in which a sleeping thread waits; None.  Its struct waiter is on its stack."""
    if td.state != "sleeping" or not is_off(td):
        return None
    me, queue, link, size = kernel.once("waiter", waiter)
    sp, used = stack(td)
    key, at = struct.pack("<Q", td.addr), -1
    while True:
        at = used.find(key, at + 1)
        if at < 0:
            return None
        base = at - me
        if at % 8 != 0 or base < 0 or base + size > len(used):
            continue
        after, before = TWO_WORDS(used, base + link)
        if after % 8 != 0 or before % 8 != 0 or after < PAGE or before < PAGE:	# something else with our address in it
            continue
        try:
            if back(after + 8, sp, used) == sp + base + link:	# who follows points back: it is in a list
                return WORD(used, base + queue)[0]
        except kernel.Broken:
            continue


def waiter():
    """Where a struct waiter has its thread, its queue and its link, and how large it is."""
    w = kernel.Layout.of("waiter")
    if kernel.Layout.of("list").offset("l_prev") != 8:
        raise gdb.GdbError("vk: a struct list is not what it was: another kernel's")
    return w.offset("w_thread"), w.offset("w_queue"), w.offset("w_link"), w.size


def back(addr, sp, used):
    """A word of memory, which may lie on a stack that has been read."""
    return WORD(used, addr - sp)[0] if sp <= addr <= sp + len(used) - 8 else kernel.word(addr)
