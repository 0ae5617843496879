#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""selftest.py ROOT: each check of this folder notices a planted fault.

Every fault is planted in a copy of the tree, and the check must then complain of something that it
did not complain of before.
"""

import os
import shutil
import subprocess
import sys
import tempfile

from tap import Tap, source_files

HERE = os.path.dirname(os.path.abspath(__file__))


def append(path, text):
    """To plant it; gives back which files were changed."""
    def plant(root):
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "a", encoding="utf-8") as file:
            file.write(text)
        return [path]
    return plant


def function(line, comment=""):
    """Text of a C function with one statement."""
    return f"\nvoid planted(uint32_t *p)\n{{\n{comment}\t{line};\n}}\n"


def page(*lines):
    return append("doc/man/weir_planted.3", "\n".join(lines) + "\n")


def both(*plants):
    def plant(root):
        return [path for one in plants for path in one(root)]
    return plant


NEW_FUNCTION = append("lib/include/weir/base.h", "WEIR_PUBLIC int weir_planted(void);\n")
LANE = "lib/ring/lane.c"

# The check, what is planted, how, and a word of the complaint where several are possible.
FAULTS = [
    ("layers", "an include from above", append("lib/base/clock.c", '#include "sys/sys.h"\n')),
    ("layers", "an include without a layer", append("lib/base/clock.c", '#include "clock.h"\n')),
    ("layers", "a folder that is no layer", append("lib/misc/x.c", "\n")),
    ("orders", "a builtin", append(LANE, function("__atomic_load_n(p, 0)"))),
    ("orders", "an acquire without a comment", append(LANE, function("load_acquire(p)"))),
    ("orders", "a relaxed access without a comment", append(LANE, function("load_relaxed(p)"))),
    ("orders", "a comment that is about another statement",
     append(LANE, function("load_acquire(p)", "\t/* order: FREE acquire */\n\t*p = 1;\n"))),
    ("orders", "an order with one end",
     append(LANE, function("load_acquire(p)", "\t/* order: PLANTED acquire */\n"))),
    ("text", "a file without a licence", append("lib/base/planted.c", "int x;\n")),
    ("text", "a trailing blank", append(LANE, "int x; \n")),
    ("text", "a last line without an end", append(LANE, "int x;")),
    ("text", "unfinished work", append(LANE, "/* TO" + "DO */\n")),
    ("text", "a path of a machine", append(LANE, "/* /ho" + "me/somebody */\n")),
    ("text", "a long line", append(LANE, "/*" + "x" * 99 + "*/\n")),
    ("text", "a C++ comment", append(LANE, "/" + "/ x\n")),
    ("text", "a large file", append(LANE, "\n" * 701)),
    ("packages", "an unknown dependency", append("lib/meson.build", "dependency('planted')\n")),
    ("packages", "an unknown program", append("lib/meson.build", "find_program('planted')\n")),
    ("packages", "a package for nothing", append("tools/packages", "base x dependency:planted\n")),
    ("packages", "a group for nothing", append("tools/packages", "planted gcc\n")),
    ("registered", "an unregistered file", append("lib/base/planted.c", "\n")),
    ("man", "a page that is not installed", page(".Sh NAME", ".Nm weir_planted", ".Sh X")),
    ("man", "a reference to nowhere", page(".Xr weir_nowhere 3")),
    ("symbols", "a function that is not exported", NEW_FUNCTION, "libweir.so"),
    ("symbols", "a function that is not in the version script", NEW_FUNCTION, "libweir.map"),
    ("symbols", "a symbol that is no function of the headers",
     append("lib/libweir.map", "\nX {\n\tweir_planted;\n};\n")),
    ("symbols", "a function without a page",
     both(NEW_FUNCTION, page(".Sh NAME", ".Nm weir_nothing", ".Sh X")), "manual pages"),
    ("headers", "a header that needs another",
     append("lib/include/weir/planted.h", "extern int32_t planted;\n")),
]


def arguments(check, root, library, nm, compiler):
    return {
        "man": [root, ""],
        "symbols": [root, library, nm],
        "headers": [os.path.join(root, "lib/include"), "--"] + compiler,
        "registered": [root, "lib/base/*.c=lib/base/clock.c,lib/base/error.c"],
    }.get(check, [root])


def complaints(check, *about):
    out = subprocess.run([sys.executable, os.path.join(HERE, check + ".py")] +
                         arguments(check, *about), text=True, check=True, capture_output=True)
    return set(out.stderr.splitlines())


def copy_of(root, to):
    for path in source_files(root):
        os.makedirs(os.path.dirname(os.path.join(to, path)), exist_ok=True)
        shutil.copy(os.path.join(root, path), os.path.join(to, path))


def mend(root, to, paths):
    """As they were before something was planted."""
    for path in paths:
        full = os.path.join(to, path)
        if os.path.exists(os.path.join(root, path)):
            shutil.copy(os.path.join(root, path), full)
            continue
        os.remove(full)
        if not os.listdir(os.path.dirname(full)):
            os.rmdir(os.path.dirname(full))


def main():
    root, library, nm, *compiler = sys.argv[1:]
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="weir-lint-") as folder:
        clean = os.path.join(folder, "tree")
        copy_of(root, clean)
        before = {check: complaints(check, clean, library, nm, compiler)
                  for check in {fault[0] for fault in FAULTS}}
        for check, what, plant, *word in FAULTS:
            planted = plant(clean)
            new = complaints(check, clean, library, nm, compiler) - before[check]
            mend(root, clean, planted)
            noticed = any("".join(word) in line for line in new)
            tap.result(f"{check} notices {what}", [] if noticed else ["it does not"])
    tap.finish()


main()
