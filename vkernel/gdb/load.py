# SPDX-License-Identifier: BSD-2-Clause
"""Import vk from one file: this one, with the package's files behind it, each after a line that names it.

GDB runs what is before the first such line, with PATH as this file's path (vkernel/look/gdb.c).
"""
import importlib.abc
import importlib.util
import linecache
import sys

MARK = "\n#==== "


class Loader(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, path):
        parts = open(path, encoding="utf-8").read().split(MARK)[1:]
        self.files = dict(part.split("\n", 1) for part in parts)

    def find_spec(self, name, path=None, target=None):
        if name == "vk":
            return importlib.util.spec_from_loader(name, self, origin="vk/__init__.py", is_package=True)
        file = name.replace(".", "/") + ".py"
        return importlib.util.spec_from_loader(name, self, origin=file) if file in self.files else None

    def exec_module(self, module):
        file = module.__spec__.origin
        source = self.files[file]
        linecache.cache[file] = (len(source), None, source.splitlines(True), file)	# for what Python says of errors
        exec(compile(source, file, "exec"), module.__dict__)


sys.meta_path.insert(0, Loader(PATH))  # noqa: F821
import vk  # noqa: E402,F401
