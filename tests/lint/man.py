#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""man.py ROOT MANDOC PAGE=NAME,NAME...: the manual pages are sound and refer to what there is.

The arguments are the table of doc/man/meson.build; an empty MANDOC means there is none.
"""

import os
import re
import subprocess
import sys

from interface import names_of_page
from tap import Tap, read, source_files

REFERENCE = re.compile(r"^\.Xr (\S+) (\d)", re.MULTILINE)


def is_page(path):
    return path.startswith("doc/man/") and re.search(r"\.\d$", path)


def lint(mandoc, root, path):
    done = subprocess.run([mandoc, "-Tlint", "-Wwarning", os.path.join(root, path)], text=True,
                          capture_output=True, check=False)
    return (done.stdout + done.stderr).replace(root + "/", "").splitlines()


def dangling(path, text, known):
    for name, section in REFERENCE.findall(text):
        if (name.startswith("weir") or name == "ipc-bench") and f"{name}.{section}" not in known:
            yield f"{path}: .Xr {name} {section} leads nowhere"


def links_differ(table, texts):
    for path in sorted(set(table) ^ set(texts)):
        yield f"{path} is only in one of doc/man and doc/man/meson.build"
    for path in sorted(set(table) & set(texts)):
        page = os.path.basename(path)[:-2]
        names = set(names_of_page(texts[path])) - {page}
        if names != table[path]:
            yield (f"{path}: NAME has {sorted(names)} besides its own, "
                   f"doc/man/meson.build has {sorted(table[path])}")


def main():
    root, mandoc = sys.argv[1:3]
    tap = Tap()
    texts = {path: read(root, path) for path in source_files(root) if is_page(path)}
    table = {}
    for argument in sys.argv[3:]:
        page, names = argument.split("=")
        table["doc/man/" + page] = {name for name in names.split(",") if name}

    tap.result("all pages and their names are installed", links_differ(table, texts))
    known = {f"{name}.{path[-1]}" for path, text in texts.items() for name in names_of_page(text)}
    tap.result("each reference to a page of weir leads to one",
               [line for path, text in texts.items() for line in dangling(path, text, known)])
    if not texts:
        tap.skip("mandoc finds no fault", "doc/man has no page")
    elif not mandoc:
        tap.skip("mandoc finds no fault", "there is no mandoc")
    else:
        tap.result("mandoc finds no fault",
                   [line for path in texts for line in lint(mandoc, root, path)])
    tap.finish()


main()
