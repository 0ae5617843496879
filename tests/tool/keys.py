#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""keys.py TOOL ROOT: the manual page names each key of the JSON."""

import json
import os
import re
import sys

from tool import SHORT, Tap, measure, run


def keys(value, found):
    """Names of all keys below @value; the numbers among them are sizes."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not key.isdigit():
                found.add(key)
            keys(inner, found)
    elif isinstance(value, list):
        for inner in value:
            keys(inner, found)
    return found


def main():
    tap = Tap()
    with open(os.path.join(sys.argv[2], "doc/man/ipc-bench.1"), encoding="utf-8") as file:
        words = set(re.findall(r"\w+", re.sub(r"\\-|\\&", "", file.read())))
    done = measure("--mechanism", "pipe,sysv-mq,weir-queue", "--wait", "own,adaptive", "--workload",
                   "rtt,stream,attach,mpmc,recover,fanout,waitmany,pump", "--objects", "4", *SHORT)
    shared = measure("--mechanism", "pthread-mutex", "--workload", "lock,value", "--processes", "2",
                     *SHORT)
    done["results"] += shared["results"]
    done["environment"] = {}
    tap.result("run", sorted(keys(done, set()) - words))
    tap.result("list", sorted(keys(json.loads(run("list", "--json").stdout), set()) - words))
    tap.finish()


main()
