#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""pump.py TOOL: from an object to a file and to a socket."""

import json

from results import name_of, sense, shape
from tool import SHORT, Tap, expect, measure, run

PLAIN = {"pipe", "pipe-splice"}
WEIR = {"weir-pipe", "weir-queue"}
FEW = ["--repeat", "1", "--messages", "300", "--warmup", "0"]


def moves(result):
    where, size = name_of(result), result["size_bytes"]
    piece = max(1, (1 << 20) // size)
    if result["messages"] < 300 or result["messages"] % piece:
        yield f"{where}: {result['messages']} messages of {size} in pieces of {piece}"
    if result["latency_ns"] or result["transit_ns"]:
        yield f"{where}: a stream has times"
    if result["consumers"] != (2 if result["to"] == "socket" else 1):
        yield f"{where}: {result['consumers']} consumers to a {result['to']}"


def weir(tap):
    done = measure("--workload", "pump", "--mechanism", ",".join(WEIR), "--engine",
                   "epoll,uring", "--wait", "own,block", *FEW)
    tap.result("weir's engines, spinning and not",
               [p for one in done["results"] for p in (*sense(one), *moves(one))])
    there = {(one["mechanism"], one["engine_asked"], one["wait"], one["to"])
             for one in done["results"]}
    tap.result("all of them", [] if len(there) == 16 else done["skipped"] + [str(there)])
    tap.result("a pump takes many messages with a call",
               [f"{name_of(one)}: {one['syscalls_per_msg']}" for one in done["results"]
                if one["syscalls_source"] and one["syscalls_per_msg"] > 0.1])
    tap.result("the engine is told", [f"{name_of(one)}: {one['engine']}, {one['engine_asked']}"
                                      for one in done["results"]
                                      if one["engine"] != "epoll" and
                                      one["engine"] not in (one["engine_asked"], "uring")])
    done = run("run", "--workload", "pump", "--mechanism", "pipe", "--engine", "uring", *FEW)
    tap.result("a pipe has one way", expect(done, 5, "no part of this mechanism"))


def main():
    tap = Tap()
    weir(tap)
    for size in ("64", "4K", "64K", "1001"):
        done = measure("--workload", "pump", "--mechanism", ",".join(PLAIN | WEIR), "--size", size,
                       *FEW)
        tap.result(f"{size}: all is there, in order",
                   [p for one in done["results"]
                    for p in (*shape(one), *sense(one), *moves(one))])
        there = {(one["mechanism"], one["to"]) for one in done["results"]}
        tap.result(f"{size}: each way to each", [] if len(there) == 8 else done["skipped"])
    done = measure("--workload", "pump", "--mechanism", "pipe", "--wait", "own,block", *SHORT)
    tap.result("for a time", [p for one in done["results"] for p in (*sense(one), *moves(one))])
    done = run("run", "--workload", "pump", "--mechanism", "pipe", "--to", "file", *FEW)
    tap.result("the table has where to", expect(done, 0, "pump to file"))
    tap.result("and nothing else", ["socket"] if "socket" in done.stdout else [])
    done = run("run", "--workload", "pump", "--mechanism", "posix-mq,unix-dgram", *FEW)
    tap.result("what nothing moves is skipped",
               expect(done, 5, "skipped: posix-mq", "skipped: unix-dgram", "nothing moves"))
    done = run("run", "--workload", "rtt", "--mechanism", "pipe-splice", *FEW)
    tap.result("splice is about pump", expect(done, 5, "pump alone"))
    done = run("run", "--workload", "stream", "--wait", "block", *FEW)
    tap.result("and not mentioned elsewhere", expect(done, 0) if "pipe-splice" not in
               done.stdout + done.stderr else ["pipe-splice"])
    known = json.loads(run("list", "--json").stdout)["mechanisms"]
    tap.result("list says which have it",
               sorted((PLAIN | WEIR) - {one["name"] for one in known if one["pump"]}))
    tap.finish()


main()
