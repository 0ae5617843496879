#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""messages.py TOOL: what fits is carried whole, what does not is skipped."""

from results import sense
from tool import FEW, SHORT, Tap, expect, measure, run


def shapes_of_messages(tap):
    done = measure("--mechanism", "all", "--workload", "stream", "--size", "8,13,4K,300K", *FEW)
    tap.result("each size keeps every message whole",
               [p for result in done["results"] for p in sense(result)])
    sizes = {(skip["mechanism"], skip["size_bytes"]): skip["reason"] for skip in done["skipped"]}
    problems = [f"{name} of {size} was not skipped with a reason" for name, size in
                (("posix-mq", 307200), ("sysv-mq", 307200), ("weir-pipe", 307200),
                 ("sem-shm", 307200)) if not sizes.get((name, size))]
    problems += [f"{skip['mechanism']} was skipped: {skip['reason']}" for skip in done["skipped"]
                 if skip["size_bytes"] <= 4096]
    tap.result("what does not fit is skipped, and nothing else", problems)
    done = run("run", "--mechanism", "posix-mq", "--size", "64,64K", *SHORT)
    tap.result("what was skipped is said", expect(done, 0, "skipped: posix-mq, 64 KiB"))


def main():
    tap = Tap()
    shapes_of_messages(tap)
    tap.finish()


main()
