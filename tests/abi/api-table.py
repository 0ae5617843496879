#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""api-table.py HEADER...: the functions that the headers declare as a table in C."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lint"))

from interface import PUBLIC, without_comments  # noqa: E402


def main():
    functions = set()
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as header:
            functions.update(PUBLIC.findall(without_comments(header.read())))
    print("static const struct function table[] = {")
    for name in sorted(functions):
        print(f'\t{{ "{name}", (void (*)(void)){name} }},')
    print("};")


main()
