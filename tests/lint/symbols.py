#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""symbols.py ROOT LIBRARY NM: the public functions are the same in each place that lists them.

The headers (WEIR_PUBLIC), the version script, what the shared library exports, the manual pages.
"""

import re
import subprocess
import sys

from interface import (functions_of_page, names_of_page, public_functions, without_comments)
from tap import Tap, read, source_files


def difference(what_a, a, what_b, b):
    for name in sorted(a - b):
        yield f"{name} is in {what_a}, but not in {what_b}"
    for name in sorted(b - a):
        yield f"{name} is in {what_b}, but not in {what_a}"


def map_symbols(root):
    text = without_comments(read(root, "lib/libweir.map"))
    return set(re.findall(r"^\s*(\w+);", text, re.MULTILINE))


def exported_symbols(library, nm):
    out = subprocess.run([nm, "-D", "--defined-only", library], text=True, check=True,
                         capture_output=True).stdout
    symbols = [line.split()[-2:] for line in out.splitlines()]
    # Type A are the version nodes themselves.
    return {name.split("@")[0] for kind, name in symbols if kind != "A"}


def main():
    root, library, nm = sys.argv[1:]
    tap = Tap()
    headers = public_functions(root)
    tap.result("the version script has the functions of the headers",
               difference("the headers", headers, "libweir.map", map_symbols(root)))
    tap.result("the shared library exports the functions of the headers",
               difference("the headers", headers, "libweir.so", exported_symbols(library, nm)))

    pages = [path for path in source_files(root, ".3") if path.startswith("doc/man/")]
    if not pages:
        tap.skip("each function has a manual page", "doc/man has no page of section 3")
        tap.skip("each page declares the functions that it names", "doc/man has no page")
    else:
        named, mismatched = set(), []
        for path in pages:
            text = read(root, path)
            names = {name for name in names_of_page(text) if name.startswith("weir_")}
            # A page may be named after its object, which is no function.
            names &= headers | functions_of_page(text)
            named |= names
            mismatched += [f"{path}: {line}" for line in
                           difference("NAME", names, "the SYNOPSIS",
                                      functions_of_page(text) & headers)]
        tap.result("each function has a manual page",
                   difference("the headers", headers, "the manual pages", named))
        tap.result("each page declares the functions that it names", mismatched)
    tap.finish()


main()
