#!/usr/bin/python3
"""bench_worker.py SOCKET VERSION: a worker for tests. `test.hold` {"fifo": path} ends when something is written into the FIFO,
`test.fail` fails, `test.echo` gives its payload back."""

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


logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
worker.run(threads=8)
