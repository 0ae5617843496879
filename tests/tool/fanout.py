#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""fanout.py TOOL: one message to each of those that sleep."""

import json

from results import name_of, sense, shape
from tool import SHORT, Tap, expect, measure, run

# Those that have it without anything installed.
WEIR = {"weir-pipe", "weir-queue"}
PLAIN = {"pipe", "posix-mq", "unix-stream", "unix-dgram", "unix-seqpacket", "sem-shm"} | WEIR
URING = WEIR | {"pipe", "unix-stream", "unix-dgram", "unix-seqpacket"}
# Rounds take as long as it takes until all sleep: by number.
FEW = ["--repeat", "1", "--messages", "120", "--warmup", "0"]


def fan(consumers, *more):
    return measure("--workload", "fanout", "--consumers", str(consumers), *more, *FEW)


def times(result):
    where = name_of(result)
    latency, issue = result["latency_ns"], result["issue_ns"]
    rounds = result["messages"] // result["consumers"]
    if not latency or not issue or not latency["samples"] == issue["samples"] == rounds:
        yield f"{where}: {latency} and {issue} of {rounds} rounds"
        return
    # The mean of what counts is the time of a round.
    rate = 1e9 * result["consumers"] / latency["mean"]
    if result["repeats"] == 1 and abs(result["msgs_per_s"]["median"] / rate - 1) > 0.01:
        yield f"{where}: {result['msgs_per_s']['median']}/s, and a round takes {latency['mean']}"


def calls(result, wanted):
    """System calls of a flush."""
    made = result["syscalls_per_flush"]
    # A pipe looks after each reader when it has not for 10 ms, which a round may take.
    more = result["consumers"] if result["mechanism"] == "weir-pipe" else 0
    # One that sleeps with a time-out may be just awake.
    less = 0.3 * wanted if result["mechanism"] in WEIR else 0
    if result["syscalls_source"] and not wanted - less <= made <= wanted + more:
        yield f"{name_of(result)}: {made} calls, not {wanted}"


def plain(tap):
    for consumers in (1, 4):
        done = fan(consumers, "--mechanism", ",".join(PLAIN))
        results = done["results"]
        tap.result(f"to {consumers}: each message once, at each reader",
                   [p for one in results for p in (*shape(one), *sense(one))] +
                   [f"{name_of(one)}: {one['messages']} messages" for one in results
                    if one["messages"] != 120 * one["repeats"]] +
                   sorted(PLAIN - {one["mechanism"] for one in results}))
        tap.result(f"to {consumers}: issue and latency", [p for one in results for p in times(one)])
        tap.result(f"to {consumers}: a call for each",
                   [p for one in results for p in calls(one, consumers)
                    if one["mechanism"] not in WEIR | {"sem-shm"}])
        tap.result(f"to {consumers}: the engine is told",
                   [name_of(one) for one in results
                    if one["engine_asked"] != "auto" or one["engine"] != "epoll" and
                    one["mechanism"] not in WEIR])


def uring(tap):
    done = fan(5, "--mechanism", ",".join(PLAIN), "--engine", "uring,epoll")
    there = [one for one in done["results"] if one["engine"] == "uring"]
    if not there:
        tap.skip("one submission", f"no io_uring here: {done['skipped'][0]['reason']}")
        return
    tap.result("one submission for all",
               [p for one in there for p in (*sense(one), *times(one), *calls(one, 1))] +
               sorted(URING ^ {one["mechanism"] for one in there}))


def weir(tap):
    done = fan(6, "--mechanism", ",".join(WEIR), "--engine", "epoll,auto", "--wait", "own,block")
    tap.result("weir: engines and waits",
               [p for one in done["results"] for p in (*sense(one), *times(one))] +
               [p for one in done["results"]
                for p in calls(one, 6 if one["engine"] == "epoll" else 1)])
    there = {(one["mechanism"], one["wait"], one["engine_asked"]) for one in done["results"]}
    tap.result("weir: all of them", [] if len(there) == 8 else done["skipped"])
    # On a loaded machine a round takes time slices: few of them.
    done = measure("--workload", "fanout", "--mechanism", ",".join(WEIR), "--wait", "spin",
                   "--force", "--repeat", "1", "--messages", "10", "--warmup", "0")
    tap.result("readers that are awake cost no call",
               [p for one in done["results"] for p in (*sense(one), *calls(one, 0))])


def placement(tap):
    done = run("run", "--workload", "fanout", "--mechanism", "pipe", "--consumers", "3", *SHORT)
    tap.result("the table has both times", expect(done, 0, "fanout to 3", "issue", "all"))
    done = fan(3, "--mechanism", "pipe", "--cpus", "0")
    tap.result("all on one CPU", [p for one in done["results"] for p in (*sense(one), *times(one))])
    done = fan(3, "--mechanism", "pipe,sem-shm", "--wait", "adaptive,block")
    tap.result("other ways to sleep", [] if len(done["results"]) == 4 else done["skipped"])
    cpus = [one["cpus"] for one in fan(3, "--mechanism", "pipe", "--cpus", "0,0,0")["results"]]
    tap.result("CPUs in turn", [str(one) for one in cpus if one != [0, 0, 0, 0]])


def refused(tap):
    done = run("run", "--workload", "fanout", "--mechanism", "fifo,weir-pipe-zc", *FEW)
    tap.result("what is not measured is skipped",
               expect(done, 5, "skipped: fifo", "skipped: weir-pipe-zc"))
    done = run("run", "--workload", "fanout", "--mechanism", "posix-mq", "--engine", "uring", *FEW)
    tap.result("a mechanism without io_uring", expect(done, 5, "no part of this mechanism"))
    done = run("run", "--workload", "fanout", "--mechanism", "pipe", "--batch", "2", *FEW)
    tap.result("one message at a time", expect(done, 5, "one message at a time"))
    done = run("run", "--workload", "fanout", "--mechanism", "pipe", "--producers", "2", *FEW)
    tap.result("one producer", expect(done, 5, "one producer"))
    known = json.loads(run("list", "--json").stdout)["mechanisms"]
    tap.result("list says which have it",
               sorted(PLAIN - {one["name"] for one in known if one["fanout"]}) +
               sorted(URING - {one["name"] for one in known if "uring" in one["engines"]}))


def main():
    tap = Tap()
    plain(tap)
    uring(tap)
    weir(tap)
    placement(tap)
    refused(tap)
    tap.finish()


main()
