# SPDX-License-Identifier: BSD-2-Clause
"""Address spaces, objects and pages."""
import gdb

from . import files, kernel

PAGE = 4096
PROT = ((1, "r"), (2, "w"), (4, "x"))
MAP_SHARED = 1


def entries(space):
    """The struct vm_entry of a struct vmspace, by address."""
    return kernel.walk_tree(space.at("vs_entries"), "vm_entry", "e_node")


def protection(e):
    return "".join(c if e["e_prot"] & bit else "-" for bit, c in PROT) + \
        ("s" if e["e_flags"] & MAP_SHARED else "p")


def what(e):
    """What is mapped: a path, an object, or nothing with a name."""
    if e["e_name"]:
        return files.path(e["e_name"])
    return "object %#x" % e["e_obj"] if e["e_obj"] else ""


def pages(obj):
    """The struct page of a struct vmobj, by index."""
    return kernel.walk_tree(obj.at("o_pages"), "page", "pg_node")


def flags(page):
    """Names of pg_flags' bits, which are macros: they are known where debug information has macros, else a number."""
    names, left = [], page["pg_flags"]
    for bit, name in enumerate(FLAGS):
        if left & 1 << bit:
            names.append(name)
    left >>= len(FLAGS)
    return " ".join(names + (["%#x" % (left << len(FLAGS))] if left else []))


# PG_*, from bit 0
FLAGS = ("dirty", "referenced", "busy", "anon", "wired", "free-run", "clean0", "slab", "large", "reserved", "poison")


def all_pages():
    """(address of the first struct page, how many)."""
    phys = kernel.static("phys")
    block = 1 << phys["ph_free"].type.range()[1] + 1	# runs are of less than a block
    return int(phys["ph_page"]), int(phys["ph_nblocks"]) * block


def page_at(pa):
    """The struct page of a physical address."""
    first, n = all_pages()
    if not 0 <= pa < n * PAGE:
        raise gdb.GdbError("vk: there is no memory at %#x" % pa)
    return kernel.Object("page", first + pa // PAGE * kernel.Layout.of("page").size)


def address_of(page):
    """The physical address of a struct page."""
    first, n = all_pages()
    size = kernel.Layout.of("page").size
    if not first <= page < first + n * size or (page - first) % size != 0:
        raise gdb.GdbError("vk: %#x is not a struct page" % page)
    return (page - first) // size * PAGE
