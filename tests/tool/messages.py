#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""messages.py TOOL: sizes, contents and batches."""

from results import sense
from tool import SHORT, Tap, expect, measure, run

FEW = ["--repeat", "1", "--messages", "300", "--warmup", "0"]


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


def touches(tap):
    done = measure("--mechanism", "weir-pipe,pipe", "--workload", "stream,rtt", "--size",
                   "61,4K", "--touch", "full,wide,line,none", *FEW)
    tap.result("each touch keeps every message whole",
               [p for result in done["results"] for p in sense(result)])


def batches(tap):
    done = measure("--mechanism", "weir-pipe,pipe", "--workload", "stream,rtt", "--batch", "1,32",
                   "--wait", "own,spin", *SHORT)
    there = {(r["mechanism"], r["workload"], r["batch"]) for r in done["results"]}
    tap.result("batches", [p for result in done["results"] for p in sense(result)])
    tap.result("batches only where there are any",
               [] if there == {("weir-pipe", "stream", 1), ("weir-pipe", "stream", 32),
                               ("weir-pipe", "rtt", 1), ("pipe", "stream", 1),
                               ("pipe", "rtt", 1)} else [str(there)])


def main():
    tap = Tap()
    shapes_of_messages(tap)
    touches(tap)
    batches(tap)
    tap.finish()


main()
