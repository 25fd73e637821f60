#!/usr/bin/python3
"""bench_worker.py SOCKET VERSION: a worker for tests. `test.hold` {"fifo": path} ends when something is written into the FIFO,
`test.fail` fails, `test.echo` gives its payload back, `test.odd` {"kind": …} ends with what is no payload."""

import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "connector/worker/python"))

from bmcmesh_worker import Failed, Worker  # noqa: E402  (the path comes first)

socket, version = sys.argv[1:3]
worker = Worker("test", type="test-bench", version=version, socket=socket)


@worker.command("test.hold", {"type": "object", "required": ["fifo"], "properties": {"fifo": {"type": "string"}}})
def hold(payload, call):
    call.progress(50, "holding")
    Path(payload["fifo"]).read_text()
    return {"version": version}


@worker.command("test.fail")
def fail(payload, call):
    raise Failed("as_asked", f"{call.user} wanted it", {"given": payload})


@worker.command("test.echo")
def echo(payload, call):
    return {"version": version, "given": payload}


def deep(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


ODD = {"nan": lambda: float("nan"), "huge": lambda: 10 ** 400, "object": object, "large": lambda: "x" * 65535,
       "just": lambda: "x" * 65534, "deep": lambda: deep(65), "deepest": lambda: deep(100000), "deep enough": lambda: deep(64),
       "surrogate": lambda: "a\ud800[", "exit": lambda: sys.exit(1)}


@worker.command("test.odd")
def odd(payload, call):
    call.progress(1e9, "\udfff" * 300000)
    call.progress(-3)
    return ODD[payload["kind"]]()


logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
worker.run(threads=8)
