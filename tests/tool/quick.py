#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""quick.py TOOL: quick with one mechanism, which takes a few seconds."""

import json
import os
import tempfile

from results import TOP, lacks, sense, shape
from tool import Tap, expect, run

ASKED = {("rtt", "own", 64), ("stream", "own", 64), ("stream", "own", 65536),
         ("rtt", "spin", 64), ("stream", "spin", 64), ("rtt", "block", 64)}


def text(tap, lines):
    questions = [line.split(":")[0] for line in lines[:3]]
    tap.result("a sentence for each question",
               [] if questions == ["fastest answer", "most messages", "least CPU"]
               else [str(questions)])
    tap.result("a legend",
               [word for word in ("near, far:", "CPU:", "rtt:")
                if not any(line.startswith(word) for line in lines)])
    row = [line.split() for line in lines if line.startswith("pipe ") and "64 KiB" in line]
    tap.result("a line of the table",
               [f"no {word}" for word in ("stream", "1.0x", "CPU", "sys/msg", "queued")
                if not row or word not in row[0]])
    tap.result("the command to repeat it",
               [] if any(line.startswith("again: ipc-bench quick") for line in lines)
               else ["there is none"])


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        done = run("quick", "--mechanism", "pipe", "--out", folder)
        lines = done.stdout.splitlines()
        path = lines[-1] if lines else ""
        problems = list(expect(done, 0))
        if not os.path.basename(path).startswith("ipc-bench-") or os.path.dirname(path) != folder:
            problems.append(f"'{path}' is not the path of the file")
        tap.result("the last line is the path of the results", problems)
        if problems:
            tap.finish()
            return
        with open(path, encoding="utf-8") as file:
            results = json.load(file)
    text(tap, lines)
    tap.result("JSON with all keys", lacks(results, TOP, "quick") +
               [p for result in results["results"] for p in shape(result)])
    tap.result("sound results", [p for result in results["results"] for p in sense(result)])
    there = {(r["workload"], r["wait"], r["size_bytes"]) for r in results["results"]
             if r["mechanism"] == "pipe"}
    tap.result("the three groups", [] if there == ASKED else [str(there ^ ASKED)])
    tap.finish()


main()
