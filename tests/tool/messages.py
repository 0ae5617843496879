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
                (("posix-mq", 307200), ("sysv-mq", 307200), ("weir-pipe-zc", 307200),
                 ("sem-shm", 307200)) if not sizes.get((name, size))]
    # The ring of ConcurrencyKit does not wait as it comes, and splice() is about pump.
    problems += [f"{skip['mechanism']} was skipped: {skip['reason']}" for skip in done["skipped"]
                 if skip["size_bytes"] <= 4096 and
                 skip["mechanism"] not in ("ck-ring", "pipe-splice")]
    tap.result("what does not fit is skipped, and nothing else", problems)
    there = {(result["mechanism"], result["size_bytes"]) for result in done["results"]}
    tap.result("what needs several pieces is carried",
               [name for name in ("weir-pipe", "pipe", "unix-stream")
                if (name, 307200) not in there])
    done = run("run", "--mechanism", "posix-mq", "--size", "64,64K", *SHORT)
    tap.result("what was skipped is said", expect(done, 0, "skipped: posix-mq, 64 KiB"))


def through_a_small_one(tap):
    done = measure("--mechanism", "weir-pipe,pipe", "--workload", "stream", "--size", "16M",
                   "--capacity", "64K", "--repeat", "1", "--messages", "4", "--warmup", "0")
    tap.result("16 MiB go through 64 KiB",
               [p for result in done["results"] for p in sense(result)])
    tap.result("by each that can", [] if len(done["results"]) == 2 else done["skipped"])
    done = run("run", "--mechanism", "weir-pipe", "--size", "16M", "--wait", "spin", *FEW)
    tap.result("but not by a call that does not wait",
               expect(done, 5, "skipped: weir-pipe, 16 MiB"))


def main():
    tap = Tap()
    shapes_of_messages(tap)
    through_a_small_one(tap)
    tap.finish()


main()
