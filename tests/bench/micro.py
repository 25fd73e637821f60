"""Parts alone: the URI mapper and the CURVE sockets."""

import re
import subprocess

from lab import Problem


def _run(lab, name):
    done = subprocess.run([lab.program(name)], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)
    if done.returncode != 0:
        raise Problem(f"{name} ended with status {done.returncode}: {done.stderr[-300:]}")
    return done.stdout


def run(lab, figures):
    for name, size, rate in re.findall(r"^(.*?)\s+(\d+) bytes.*?([\d.]+) GB/s$", _run(lab, "localiser_bench"), re.MULTILINE):
        figures.add(f"localiser: {name}", float(rate), "GB/s", ">= 1", note=f"{int(size):,} bytes")
    _curve(lab, figures)


def _curve(lab, figures):
    for line in _run(lab, "zmq_bench").splitlines():
        print(line)
