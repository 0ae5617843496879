#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mpmc.py TOOL: several processes on each side of one object."""

import json

from results import name_of, sense, shape
from tool import FEW, SHORT, Tap, expect, measure, run

# Those that have it without anything installed.
MANY = {"weir-queue", "weir-queue-zc", "pipe", "fifo", "posix-mq", "sysv-mq", "unix-dgram", "unix-seqpacket",
        "sem-shm"}


def sides(producers, consumers):
    return ["--workload", "mpmc", "--producers", str(producers), "--consumers", str(consumers)]


def counts(tap):
    for producers, consumers in ((1, 1), (3, 1), (1, 3), (2, 2)):
        done = measure("--mechanism", ",".join(MANY), *sides(producers, consumers), *FEW)
        problems = [p for result in done["results"] for p in (*shape(result), *sense(result))]
        for result in done["results"]:
            if (result["producers"], result["consumers"]) != (producers, consumers):
                problems.append(f"{name_of(result)}: other numbers")
            if result["messages"] != 300 * result["repeats"]:
                problems.append(f"{name_of(result)}: {result['messages']} messages")
            if len(result["cpus"]) != producers + consumers:
                problems.append(f"{name_of(result)}: CPUs {result['cpus']}")
        problems += sorted(MANY - {result["mechanism"] for result in done["results"]})
        tap.result(f"{producers} to {consumers}: each message once", problems)


def waits(tap):
    done = measure("--mechanism", ",".join(MANY), "--wait", "block,adaptive", *sides(2, 2), *SHORT)
    tap.result("sleeping and adaptive", [p for result in done["results"] for p in sense(result)])
    done = measure("--mechanism", "pipe,sem-shm", "--wait", "spin", "--force", *sides(2, 1),
                   "--repeat", "1", "--messages", "300", "--warmup", "0")
    tap.result("spinning with --force", [p for result in done["results"] for p in sense(result)])
    done = run("run", "--mechanism", "pipe", "--wait", "spin", "--cpus", "0", *sides(2, 2), *FEW)
    tap.result("spinning with too few CPUs is refused", expect(done, 5, "--force"))


def queues(tap):
    asked = ["--mechanism", "weir-queue", "--wait", "own,block,adaptive", "--size", "61"]
    done = measure(*asked, "--batch", "7,32", *sides(3, 3), *FEW)
    tap.result("batches, with end markers in them",
               [p for result in done["results"] for p in sense(result)])
    there = {(result["wait"], result["batch"]) for result in done["results"]}
    tap.result("batches of each wait", [] if len(there) == 6 else done["skipped"])
    done = measure("--mechanism", "weir-queue,weir-queue-zc", "--capacity", "1000", *sides(2, 2),
                   *FEW)
    tap.result("a limit of messages",
               [p for result in done["results"] for p in sense(result)] +
               [f"{name_of(result)}: {result['capacity_msgs']} messages, "
                f"{result['capacity_bytes']} bytes" for result in done["results"]
                if result["capacity_msgs"] != 15 or result["capacity_bytes"] != 960])


def refused(tap):
    done = run("run", "--mechanism", "pipe,sem-shm", "--size", "64,5000", *sides(2, 2), *FEW)
    tap.result("a pipe keeps no message whole that is larger than PIPE_BUF",
               expect(done, 0, "skipped: pipe, 5000 B mpmc", "4096 bytes"))
    done = run("run", "--mechanism", "weir-pipe,unix-stream", *sides(2, 2), *FEW)
    tap.result("what has one process on each side is skipped",
               expect(done, 5, "skipped: weir-pipe", "skipped: unix-stream"))
    known = json.loads(run("list", "--json").stdout)["mechanisms"]
    tap.result("list says which have it",
               sorted(MANY - {one["name"] for one in known if one["many_to_many"]}))


def main():
    tap = Tap()
    counts(tap)
    waits(tap)
    queues(tap)
    refused(tap)
    done = run("run", "--mechanism", "pipe", *sides(3, 2), *SHORT)
    tap.result("the table has the numbers", expect(done, 0, "mpmc 3 to 2"))
    tap.finish()


main()
