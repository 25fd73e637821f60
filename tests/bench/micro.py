"""Parts alone: the URI mapper and the CURVE sockets."""

import re
import subprocess

from lab import Problem


def _run(lab, name, *arguments):
    done = subprocess.run([lab.program(name), *map(str, arguments)], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)
    if done.returncode != 0:
        raise Problem(f"{name} ended with status {done.returncode}: {done.stderr[-300:]}")
    return done.stdout


def run(lab, figures):
    for name, size, rate in re.findall(r"^(.*?)\s+(\d+) bytes.*?([\d.]+) GB/s$", _run(lab, "localiser_bench"), re.MULTILINE):
        figures.add(f"localiser: {name}", float(rate), "GB/s", ">= 1", note=f"{int(size):,} bytes")
    _curve(lab, figures)


def _curve(lab, figures):
    said = _run(lab, "zmq_bench", "--messages", lab.length.messages, "--rounds", lab.length.rounds)
    for line in said.splitlines():
        columns = line.split()
        if len(columns) == 6 and columns[0].isdigit():
            size, ours, cpu, _, bare_cpu, ratio = map(float, columns)
            figures.add(f"CURVE, {size:.0f} B: messages/s, of bare libzmq's", ratio, "x",
                        note=f"{ours:,.0f}/s; CPU {cpu:.1f} us, bare {bare_cpu:.1f}")
        elif len(columns) == 4 and columns[0].isdigit():
            depth, rate, each, cpu = map(float, columns)
            figures.add(f"CURVE, {depth:.0f} in flight: round trips/s", rate, "/s", note=f"{each:.0f} us each; CPU {cpu:.1f} us")
    if "ratio" not in said or "inflight" not in said:
        raise Problem("zmq_bench prints another table than was expected")
