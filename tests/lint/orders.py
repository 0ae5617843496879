#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""orders.py ROOT: each atomic access of lib says what orders it, or why nothing need.

In lib, outside base/atomic.h,
  - nothing but the helpers of base/atomic.h is used,
  - each helper with an order has a comment "order: NAME" (several NAMEs: repeated),
  - each NAME has an end that stores and an end that loads,
  - each NAME is in doc/design/memory-order.md, and that has no others,
  - each relaxed helper has a comment "relaxed: why".

A comment counts if it is on the line, or directly above the statement and at most LINES_ABOVE lines
away. One "relaxed:" covers a run of consecutive relaxed lines.
"""

import os
import re
import sys

from tap import Tap, read, source_files

ATOMIC_H = "lib/base/atomic.h"
LIST = "doc/design/memory-order.md"
LINES_ABOVE = 4

BUILTIN = re.compile(r"\b(__atomic_\w+|__sync_\w+|_Atomic|atomic_thread_fence|stdatomic)\b")
SUFFIX = "(?:relaxed|acquire|release|acq_rel|seq)"
# The exchange of a pair is a function, and sequentially consistent.
DEFINE = re.compile(rf"^(?:#define|static inline .*) (\w+_{SUFFIX}|cas_pair)\(", re.MULTILINE)
ORDER = re.compile(r"order: ([A-Z][A-Z0-9_]*)")
RELAXED = re.compile(r"relaxed: \w")
COMMENT_LINE = re.compile(r"^\s*(/\*|\*)")


def stores(helper):
    return not helper.startswith("load_") and not helper.endswith("_acquire")


def loads(helper):
    return not helper.startswith("store_") and not helper.endswith("_release")


def code_only(lines):
    """The lines with what is in comments blanked."""
    text = "\n".join(lines)
    blank = lambda match: re.sub(r"[^\n]", " ", match.group(0))
    return re.sub(r"/\*.*?\*/", blank, text, flags=re.DOTALL).split("\n")


def comment_for(lines, code, index, run=None):
    """The text of the comments that cover the access in line @index."""
    text = lines[index]
    for above in range(index - 1, max(index - 1 - LINES_ABOVE, -1), -1):
        line, rest = lines[above], code[above].strip()
        if rest == "" and COMMENT_LINE.match(line):
            text = line + "\n" + text
            if "/*" in line:
                break
        elif rest == "":
            break
        elif run and run.search(code[above]):
            text = line + "\n" + text
        elif rest[-1] in ";{}:":
            break
        # Otherwise the statement has begun above.
    return text


class Orders:
    def __init__(self, helpers):
        relaxed = [name for name in helpers if name.endswith("_relaxed")]
        self.ordered = re.compile(r"\b(%s)\(" % "|".join(set(helpers) - set(relaxed)))
        self.relaxed = re.compile(r"\b(%s)\(" % "|".join(relaxed))
        self.builtins, self.unlabelled, self.unexplained = [], [], []
        self.ends = {}

    def read_file(self, path, text):
        lines = text.split("\n")
        code = code_only(lines)
        for index, line in enumerate(code):
            place = f"{path}:{index + 1}"
            for match in BUILTIN.finditer(line):
                self.builtins.append(f"{place}: {match.group(1)}")
            for match in self.ordered.finditer(line):
                names = ORDER.findall(comment_for(lines, code, index))
                if not names:
                    self.unlabelled.append(f"{place}: {match.group(1)}")
                for name in names:
                    self.ends.setdefault(name, []).append((match.group(1), place))
            for match in self.relaxed.finditer(line):
                if not RELAXED.search(comment_for(lines, code, index, self.relaxed)):
                    self.unexplained.append(f"{place}: {match.group(1)}")

    def one_ended(self):
        for name, ends in sorted(self.ends.items()):
            places = ", ".join(place for _, place in ends)
            if not any(stores(helper) for helper, _ in ends):
                yield f"{name} has no end that stores: {places}"
            if not any(loads(helper) for helper, _ in ends):
                yield f"{name} has no end that loads: {places}"


def compare_with_list(names, text):
    for name in sorted(names):
        if not re.search(rf"\b{name}\b", text):
            yield f"{name} is not in {LIST}"
    for name in re.findall(r"^\|\s*`?([A-Z][A-Z0-9_]*)`?\s*\|", text, re.MULTILINE):
        if name not in names:
            yield f"{LIST} has {name}, which the code has not"


def main():
    root = sys.argv[1]
    tap = Tap()
    orders = Orders(DEFINE.findall(read(root, ATOMIC_H)))
    for path in source_files(root, ".c", ".h"):
        if path.startswith("lib/") and path != ATOMIC_H:
            orders.read_file(path, read(root, path))
    tap.result(f"only {ATOMIC_H} uses the compiler's atomics", orders.builtins)
    tap.result("each ordered access has a comment with its order", orders.unlabelled)
    tap.result("each relaxed access has a comment with its reason", orders.unexplained)
    tap.result("each order has two ends", orders.one_ended())
    if os.path.exists(os.path.join(root, LIST)):
        tap.result(f"{LIST} lists all orders",
                   compare_with_list(set(orders.ends), read(root, LIST)))
    else:
        tap.skip(f"{LIST} lists all orders", "it is not there")
    tap.finish()


main()
