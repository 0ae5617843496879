#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""recover.py TOOL: after each kill all messages are there, and the times are told."""

from results import lacks, name_of, sense, shape
from tool import Tap, expect, measure, run

QUEUES = {"weir-queue", "weir-queue-zc"}
KINDS = ("taken_ns", "served_ns")
KILLS = ["--repeat", "1", "--messages", "20"]


def times(result):
    where, recover = name_of(result), result["recover"]
    yield from lacks(recover, set(KINDS), where)
    for kind in KINDS:
        if not recover[kind] or not 0 < recover[kind]["p50"] <= recover[kind]["max"]:
            yield f"{where}: {kind} {recover[kind]}"
    samples = sum(recover[kind]["samples"] for kind in KINDS)
    if not result["latency_ns"]["samples"] == samples == 20 * result["repeats"]:
        yield f"{where}: {samples} kills"


def main():
    tap = Tap()
    for consumers in ("1", "3"):
        done = measure("--workload", "recover", "--mechanism", ",".join(QUEUES), "--wait",
                       "own,block", "--consumers", consumers, *KILLS)
        tap.result(f"{consumers} survive: nothing is lost, nothing comes twice",
                   [p for result in done["results"] for p in (*shape(result), *sense(result))])
        tap.result(f"{consumers} survive: each kind has times",
                   [p for result in done["results"] for p in times(result)])
        tap.result(f"{consumers} survive: by each queue",
                   [] if len({(result["mechanism"], result["wait"])
                              for result in done["results"]}) == 4 else done["skipped"])
    done = run("run", "--workload", "recover", "--mechanism", "pipe,posix-mq,sem-shm", *KILLS)
    tap.result("what a process has received dies with it elsewhere",
               expect(done, 5, "skipped: pipe", "skipped: posix-mq", "skipped: sem-shm",
                      "dies with it"))
    done = run("run", "--workload", "recover", "--mechanism", "weir-queue", "--wait", "spin",
               *KILLS)
    tap.result("nobody sleeps who spins", expect(done, 5, "processes that sleep"))
    tap.finish()


main()
