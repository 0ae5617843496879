#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""layers.py ROOT: a file of lib includes only its own layer and those below it."""

import re
import sys

from tap import LAYERS, Tap, read, source_files

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


def problems_of(layer, path, text):
    for included in INCLUDE.findall(text):
        first = included.split("/")[0]
        if "/" not in included:
            yield f'{path}: "{included}" does not name its layer; write it from lib'
        elif first == "weir":
            continue
        elif first not in LAYERS:
            yield f'{path}: "{included}" is not in a layer of lib'
        elif LAYERS.index(first) > LAYERS.index(layer):
            yield f'{path}: "{included}" is above {layer}'


def main():
    tap = Tap()
    found = {layer: [] for layer in LAYERS}
    elsewhere = []
    for path in source_files(sys.argv[1], ".c", ".h"):
        parts = path.split("/")
        if parts[0] != "lib" or parts[1] == "include":
            continue
        if parts[1] in found:
            found[parts[1]].extend(problems_of(parts[1], path, read(sys.argv[1], path)))
        else:
            elsewhere.append(f"{path}: not in a folder of a layer")
    for layer in LAYERS:
        tap.result(f"{layer} includes nothing from above", found[layer])
    tap.result("each file of lib is in a layer", elsewhere)
    tap.finish()


main()
