#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""waitmany.py TOOL: one process waits for many objects."""

import json
import resource

from results import name_of, sense, shape
from tool import Tap, expect, measure, run

# Those that have it without anything installed.
WEIR = {"weir-pipe", "weir-queue"}
PLAIN = {"pipe", "posix-mq", "unix-stream", "unix-dgram", "unix-seqpacket"} | WEIR
URING = WEIR | {"pipe", "unix-stream", "unix-dgram", "unix-seqpacket"}
FEW = ["--repeat", "1", "--messages", "600", "--warmup", "0"]
ENGINES = ["--engine", "epoll,uring"]


def wait(objects, active, *more):
    return measure("--workload", "waitmany", "--objects", objects, "--active", active, *more, *FEW)


def times(result):
    """Each round has a time, which a stream has not."""
    where = name_of(result)
    if result["streaming"]:
        if result["latency_ns"] is not None:
            yield f"{where}: a stream has latencies"
        return
    rounds = -(-600 // result["active"]) * result["repeats"]
    if result["latency_ns"]["samples"] != rounds:
        yield f"{where}: {result['latency_ns']['samples']} samples of {rounds} rounds"


def calls(result):
    where, made = name_of(result), result["syscalls_per_wakeup"]
    if not result["syscalls_source"]:
        return
    if result["mechanism"] in WEIR:
        # At the most it looks once whether there is still a writer.
        if made > 2 + result["active"]:
            yield f"{where}: {made} calls for a wake-up"
    elif result["engine"] == "uring" and not made <= 1.05:
        yield f"{where}: {made} calls for a wake-up"
    elif result["engine"] == "epoll" and not 2 <= made <= 1 + 2 * 256:
        yield f"{where}: {made} calls for a wake-up and its reads"


def counts(tap):
    for objects, active in (("1", "16"), ("40", "7"), ("40", "all"), ("3", "3")):
        done = wait(objects, active, "--mechanism", ",".join(PLAIN), *ENGINES)
        results = done["results"]
        problems = [p for one in results for p in (*shape(one), *sense(one), *times(one))]
        number = int(objects) if active == "all" else min(int(objects), int(active))
        for one in results:
            if (one["objects"], one["active"]) != (int(objects), number) or \
                    one["streaming"] != (active == "all"):
                problems.append(f"{name_of(one)}: other numbers")
            if one["messages"] != 600 * one["repeats"]:
                problems.append(f"{name_of(one)}: {one['messages']} messages")
        problems += sorted(PLAIN - {one["mechanism"] for one in results})
        tap.result(f"{active} of {objects}: each message once", problems)
        tap.result(f"{active} of {objects}: system calls", [p for one in results for p in calls(one)])
    if not any(one["engine"] == "uring" for one in results):
        tap.skip("io_uring takes part", str(done["skipped"]))
    else:
        tap.result("io_uring takes part",
                   sorted(URING ^ {one["mechanism"] for one in results
                                   if one["engine"] == "uring"}))


def messages(tap):
    done = wait("6", "3,all", "--mechanism", "pipe,unix-stream", "--batch", "8", *ENGINES)
    tap.result("several with one read", [p for one in done["results"] for p in sense(one)])
    done = wait("6", "3,all", "--mechanism", "pipe,unix-stream", "--size", "9,10001", "--batch",
                "1,3", *ENGINES)
    tap.result("odd sizes, larger than what is written at once",
               [p for one in done["results"] for p in sense(one)])
    done = wait("6", "3,all", "--mechanism", ",".join(WEIR), "--batch", "8", "--engine",
                "epoll,auto", "--wait", "own,block")
    tap.result("weir: batches, engines and waits",
               [p for one in done["results"] for p in sense(one)])
    there = {(one["mechanism"], one["engine_asked"], one["wait"], one["streaming"])
             for one in done["results"]}
    tap.result("weir: all of them", [] if len(there) == 16 else done["skipped"] + [str(there)])
    tap.result("weir tells what ran",
               [f"{name_of(one)}: {one['engine']}, {one['engine_asked']}" for one in done["results"]
                if one["engine"] not in ("epoll", "uring")])
    done = wait("500", "5", "--mechanism", "pipe,weir-queue", "--wait", "block", "--cpus", "0", *ENGINES)
    tap.result("many on one CPU", [p for one in done["results"] for p in sense(one)])
    done = run("run", "--workload", "waitmany", "--mechanism", "pipe", "--objects", "4", "--active",
               "2,all", "--engine", "epoll", *FEW)
    tap.result("the table has the numbers",
               expect(done, 0, "waitmany 2 of 4 epoll", "waitmany 4 of 4 busy epoll"))


def few_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (120, 120))


def refused(tap):
    done = run("run", "--workload", "waitmany", "--mechanism", "pipe", "--objects", "4,100", *FEW,
               preexec_fn=few_descriptors)
    tap.result("too few descriptors: the numbers are told",
               expect(done, 0, "waitmany 4 of 4", "100 objects of 2 descriptors",
                      "RLIMIT_NOFILE is 120"))
    done = run("run", "--workload", "waitmany", "--mechanism", "sem-shm,sysv-mq", *FEW)
    tap.result("what cannot be waited for is skipped",
               expect(done, 5, "skipped: sem-shm", "skipped: sysv-mq", "at once"))
    done = run("run", "--workload", "waitmany", "--mechanism", "pipe", "--wait", "spin", *FEW)
    tap.result("nobody waits who spins", expect(done, 5, "processes that sleep"))
    done = run("run", "--workload", "waitmany", "--mechanism", "unix-dgram", "--batch", "2", *FEW)
    tap.result("one datagram for a call", expect(done, 5, "no call for several"))
    known = json.loads(run("list", "--json").stdout)["mechanisms"]
    tap.result("list says which have it",
               sorted(PLAIN - {one["name"] for one in known if one["waitmany"]}))


def main():
    tap = Tap()
    counts(tap)
    messages(tap)
    refused(tap)
    tap.finish()


main()
