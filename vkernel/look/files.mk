# SPDX-License-Identifier: BSD-2-Clause
launch += vkernel/look/target.c vkernel/look/dump.c vkernel/look/ps.c vkernel/look/gdb.c vkernel/look/stub.c vkernel/look/trace.c vkernel/look/text.c vkernel/look/perfetto.c vkernel/look/folded.c vkernel/look/symbols.c vkernel/look/commands.S vkernel/look/note.S
