#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""text.py ROOT: what holds for every line of every file."""

import os
import re
import sys

from tap import Tap, source_files

# Those that have no comments, or are the licence.
NO_SPDX = (".md", ".out", ".json", ".txt", "LICENSE", ".gitignore")
MAX_COLUMNS = 100
MAX_LINES = 700

# Put together here, so that this file does not contain them.
UNFINISHED = re.compile(r"\b(%s)\b" % "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3]))
MACHINE_PATHS = ["/ho" + "me/", "/ro" + "ot/", "/w" + "ork/"]


def machine_paths(root):
    names = [re.escape(path) for path in MACHINE_PATHS]
    for folder in (os.path.abspath(root), os.path.expanduser("~")):
        if folder.count("/") > 1 or len(folder) > 5:
            names.append(re.escape(folder) + r"\b")
    return re.compile(r"(?<![\w.$}-])(%s)" % "|".join(names))


def code_of(text):
    """The text with strings and comments blanked, line by line as before."""
    blank = lambda match: re.sub(r"[^\n]", " ", match.group(0))
    return re.sub(r'"(?:\\.|[^"\\\n])*"|/\*.*?\*/', blank, text, flags=re.DOTALL)


def main():
    root = sys.argv[1]
    paths = machine_paths(root)
    tap = Tap()
    no_spdx, blanks, unfinished, machine, wide, slashes, large = ([] for _ in range(7))
    for path in source_files(root):
        with open(os.path.join(root, path), "rb") as file:
            data = file.read()
        if b"\0" in data:
            continue
        text = data.decode("utf-8")
        lines = text.split("\n")
        is_c = path.endswith((".c", ".h", ".h.in"))
        if not path.endswith(NO_SPDX) and \
           "SPDX-License-Identifier: MIT" not in "\n".join(lines[:2]):
            no_spdx.append(path)
        if text and not text.endswith("\n"):
            blanks.append(f"{path}: the last line does not end")
        if is_c and len(lines) > MAX_LINES:
            large.append(f"{path}: {len(lines) - 1} lines")
        for number, line in enumerate(lines, 1):
            place = f"{path}:{number}"
            if line != line.rstrip():
                blanks.append(place)
            if UNFINISHED.search(line):
                unfinished.append(place)
            if paths.search(line):
                machine.append(f"{place}: {line.strip()}")
            if is_c and len(line.expandtabs(8)) > MAX_COLUMNS:
                wide.append(f"{place}: {len(line.expandtabs(8))} columns")
        if is_c:
            for number, line in enumerate(code_of(text).split("\n"), 1):
                if "//" in line:
                    slashes.append(f"{path}:{number}")
    tap.result("each file names its licence in its first lines", no_spdx)
    tap.result("no line ends in blanks, and each ends", blanks)
    tap.result("nothing is marked as unfinished", unfinished)
    tap.result("no path of a developer's machine", machine)
    tap.result(f"C: at most {MAX_COLUMNS} columns", wide)
    tap.result("C: comments are /* */", slashes)
    tap.result(f"C: at most {MAX_LINES} lines in a file", large)
    tap.finish()


main()
