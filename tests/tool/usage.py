#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage.py TOOL: what is wrong with a command line is named, and exits with 2."""

from tool import Tap, expect, run

WRONG = [
    ([], "usage"),
    (["nonsense"], "nonsense"),
    (["run", "--nonsense"], "nonsense"),
    (["run", "nonsense"], "nonsense"),
    (["run", "--mechanism", "pipe,nonsense"], "nonsense"),
    (["run", "--mechanism", "selftest"], "selftest"),
    (["run", "--workload", "nonsense"], "nonsense"),
    (["run", "--wait", "nonsense"], "nonsense"),
    (["run", "--touch", "nonsense"], "nonsense"),
    (["run", "--engine", "nonsense"], "nonsense"),
    (["run", "--size", "7"], "less than 8"),
    (["run", "--size", "64,"], "not a number"),
    (["run", "--size", "-64"], "not a number"),
    (["run", "--size", "64X"], "64X"),
    (["run", "--size", "99999999999G"], "too large"),
    (["run", "--size", ",".join(str(size) for size in range(8, 100))], "too many"),
    (["run", "--size"], "size"),
    (["run", "--engine", "auto,"], "unknown"),
    (["run", "--objects", "0"], "objects"),
    (["run", "--objects", "4097"], "4096"),
    (["run", "--objects", "all"], "objects"),
    (["run", "--active", "0"], "active"),
    (["run", "--active", "none"], "active"),
    (["run", "--to", "nonsense"], "nonsense"),
    (["run", "--processes", "0"], "processes"),
    (["run", "--processes", "65"], "64"),
    (["run", "--op", "nonsense"], "nonsense"),
    (["run", "--hold", "1000000001"], "hold"),
    (["run", "--think", "-1"], "think"),
    (["run", "--batch", "0"], "batch"),
    (["run", "--batch", "4294967297"], "batch"),
    (["run", "--rate", "0"], "rate"),
    (["run", "--capacity", "4"], "capacity"),
    (["run", "--duration", "nonsense"], "nonsense"),
    (["run", "--duration", "0"], "duration"),
    (["run", "--duration", "-1"], "duration"),
    (["run", "--duration", "inf"], "duration"),
    (["run", "--repeat", "0"], "repeat"),
    (["run", "--repeat", "2x"], "2x"),
    (["run", "--repeat", "1000000000000"], "repeats"),
    (["run", "--cpus", "nonsense"], "nonsense"),
    (["run", "--cpus", "3-1"], "3-1"),
    (["run", "--cpus", "4095"], "4095"),
    (["run", "--messages", "0"], "messages"),
    (["run", "--json", "/nowhere/at/all"], "/nowhere/at/all"),
    (["quick", "--out", "/nowhere/at/all"], "/nowhere/at/all"),
    (["quick", "--size", "8"], "size"),
    (["list", "--json=x"], "json"),
    (["floor", "--repeat", "2"], "repeat"),
    (["compare"], "compare"),
]

RIGHT = [
    ["--help"],
    ["--version"],
    ["run", "--help"],
    ["quick", "--help"],
    ["list"],
]


def main():
    tap = Tap()
    for arguments, text in WRONG:
        done = run(*arguments)
        problems = list(expect(done, 2, text))
        if done.stdout:
            problems.append("an error was printed to standard output")
        name = " ".join(arguments)
        tap.result("wrong: " + (name if len(name) < 60 else name[:60] + "..."), problems)
    for arguments in RIGHT:
        tap.result("right: " + " ".join(arguments), expect(run(*arguments), 0, "ipc-bench"
                   if arguments != ["list"] else "weir-pipe"))
    tap.finish()


main()
