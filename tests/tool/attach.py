#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""attach.py TOOL: objects are made, connected, passed and dropped, and weighed."""

from results import lacks, name_of, sense, shape
from tool import Tap, expect, measure, run

# Those that a process can get that knows nothing of them.
PASSED = {"weir-pipe", "weir-queue", "pipe", "fifo", "posix-mq", "sysv-mq", "unix-stream",
          "unix-dgram", "unix-seqpacket"}
# Those that a process can make.
MADE = PASSED | {"sem-shm"}
PHASES = ("make_ns", "connect_ns", "pass_ns", "drop_ns")
WEIGHTS = {"memory_empty_bytes", "memory_full_bytes", "descriptors"}


def phases(result):
    where, attach = name_of(result), result["attach"]
    yield from lacks(attach, WEIGHTS | set(PHASES), where)
    for name in PHASES:
        times = attach[name]
        if times is None and (name != "pass_ns" or result["mechanism"] in PASSED):
            yield f"{where}: no {name}"
        elif times and not 0 < times["min"] <= times["p50"] <= times["max"]:
            yield f"{where}: {name} {times}"
    if attach["memory_full_bytes"] < attach["memory_empty_bytes"]:
        yield f"{where}: less memory when full"


def main():
    tap = Tap()
    done = measure("--workload", "attach", "--mechanism", ",".join(sorted(MADE)),
                   "--repeat", "1", "--messages", "10")
    there = {result["mechanism"]: result["attach"] for result in done["results"]}
    tap.result("each mechanism with objects of its own", MADE - set(there))
    tap.result("every message is sound",
               [p for result in done["results"] for p in (*shape(result), *sense(result))])
    tap.result("each phase has times", [p for result in done["results"] for p in phases(result)])
    tap.result("what is known beforehand of a pipe",
               [] if there["pipe"]["memory_empty_bytes"] == 0 and
               there["pipe"]["memory_full_bytes"] == 65536 and there["pipe"]["descriptors"] == 2
               else [str(there["pipe"])])
    tap.result("weir's rings are counted, both of them",
               [] if 2 * 262144 <= there["weir-pipe"]["memory_full_bytes"] < 2 * 327680
               else [str(there["weir-pipe"])])
    done = run("run", "--workload", "attach", "--mechanism", "pipe", "--wait", "spin",
               "--repeat", "1", "--messages", "10")
    tap.result("nothing to wait for", expect(done, 5, "attach makes objects as they come"))
    tap.finish()


main()
