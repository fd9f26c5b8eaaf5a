# SPDX-License-Identifier: BSD-2-Clause
"""vk - a Damselfly kernel seen from GDB.

The same for a running vkernel, for a core, and for a PC behind QEMU's stub: all that is known comes from the
kernel's own memory and from its debug information, never from the process around it.

kernel.py   reading structures, lists and trees; threads, processes, CPUs
stacks.py   who called whom in a thread that does not run, cheaply
frames.py   the same for GDB's own "bt", "frame" and "info locals"
waits.py    who waits for what, and in a circle
memory.py   address spaces, objects, pages
files.py    names, mounts, open files
check.py    what must be true of all of it
commands.py what a person types

Python: "import vk", then vk.threads(), vk.processes(), vk.cpus(), vk.thread(ID), vk.process(PID): objects whose fields
are had by name, td["td_pri"], and which are a gdb.Value as td.value.
"""
import gdb

OLDEST = 12

if int(gdb.VERSION.split(".")[0]) < OLDEST:
    raise gdb.GdbError("vk: needs GDB %d or later, this is %s" % (OLDEST, gdb.VERSION))

from .kernel import cpus, messages, process, processes, thread, threads  # noqa: E402,F401
from . import check, commands, files, frames, memory, stacks, waits  # noqa: E402,F401
