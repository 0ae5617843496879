# SPDX-License-Identifier: MIT
"""What a result of ipc-bench must look like."""

TOP = {"schema", "tool", "environment", "command", "floor", "skipped", "results"}
RESULT = {
    "mechanism", "workload", "wait", "engine", "size_bytes", "producers", "consumers", "cpus",
    "batch", "capacity_bytes", "capacity_msgs", "touch", "rate", "placement", "repeats",
    "messages", "duration_s", "block", "floor_rtt_ns", "msgs_per_s", "bytes_per_s", "latency_ns",
    "issue_ns", "transit_ns", "engine_asked", "objects", "active", "streaming", "to",
    "syscalls_per_flush", "syscalls_per_wakeup", "msgs_per_wakeup", "syscalls_per_msg", "syscalls_source", "ctx_switches_per_msg",
    "attach", "recover", "cpu_ns_per_msg", "page_faults_per_msg", "memory_bytes", "integrity",
    "valid", "warnings", "processes", "op", "hold_ns", "think_ns", "fairness",
}
RATE = {"median", "ci95_low", "ci95_high", "values"}
TIMES = {"min", "p50", "p90", "p99", "p99_9", "p99_99", "max", "mean", "samples", "p50_values",
         "p99_values"}
SOUND = {"lost": 0, "duplicated": 0, "reordered": 0, "corrupted": 0}


def name_of(result):
    return f"{result['mechanism']} {result['workload']} {result['wait']} {result['placement']}"


def lacks(there, wanted, where):
    return [f"{where}: no key {key}" for key in sorted(wanted - set(there))]


def shape(result):
    """What is wrong with the form of a result."""
    where = name_of(result)
    yield from lacks(result, RESULT, where)
    yield from lacks(result["msgs_per_s"], RATE, where)
    yield from lacks(result["bytes_per_s"], RATE, where)
    for key in ("latency_ns", "transit_ns", "issue_ns"):
        if result[key]:
            yield from lacks(result[key], TIMES, where)
    for values in (result["block"], result["floor_rtt_ns"], result["msgs_per_s"]["values"]):
        if len(values) != result["repeats"]:
            yield f"{where}: {len(values)} values of {result['repeats']} repeats"
    if result["repeats"] < 6 and result["msgs_per_s"]["ci95_low"] is not None:
        yield f"{where}: an interval of {result['repeats']} repeats"


def sense(result):
    """What cannot be true of a sound result."""
    where = name_of(result)
    if result["integrity"] != SOUND or result["valid"] is not True:
        yield f"{where}: {result['integrity']}"
    if result["messages"] < 1 or result["msgs_per_s"]["median"] <= 0:
        yield f"{where}: nothing was sent"
    if result["workload"] in ("stream", "mpmc", "pump") and result["latency_ns"] is not None:
        yield f"{where}: a stream has no latency"
    if result["workload"] in ("rtt", "oneway", "lock", "value") and not result["latency_ns"]["samples"]:
        yield f"{where}: no latencies"
    if result["syscalls_per_msg"] is None and not result["warnings"]:
        yield f"{where}: no system calls counted, and no reason"
    # Gigabytes take longer to be filled than there is time for.
    unknown = ("what can be queued has no limit",
               "it was not found out how many messages can be queued")
    if result["workload"] in ("lock", "value"):
        if result["capacity_msgs"] is not None or not result["processes"]:
            yield f"{where}: {result['capacity_msgs']} queued by {result['processes']}"
    elif result["capacity_msgs"] is None and not set(unknown) & set(result["warnings"]) or \
            not result["memory_bytes"]:
        yield f"{where}: no capacity"
    if (result["recover"] is None) == (result["workload"] == "recover"):
        yield f"{where}: recover is {result['recover']}"
    if result["placement"] in ("near", "far") and None in result["floor_rtt_ns"]:
        yield f"{where}: no floor"
