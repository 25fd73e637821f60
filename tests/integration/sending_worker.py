#!/usr/bin/python3
"""sending_worker.py SOCKET: a worker for tests that sends commands to others. `test.relay` {"target", "command", "payload", "timeout"}
has others execute that command and answers {"result", "progress"}, or {"code", "failure", "executed", "text", "progress"}."""

import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "connector/worker/python"))

from bmcmesh_worker import SendFailed, Worker  # noqa: E402  (the path comes first)

worker = Worker("relay", type="relay", version="1.0", socket=sys.argv[1])


@worker.command("test.relay", {"type": "object", "required": ["target", "command"]})
def relay(payload, call):
    progress = []

    def note(percent, text):
        progress.append([percent, text])
        call.progress(percent, text)
    try:
        result = worker.send(payload["target"], payload["command"], payload.get("payload"), payload.get("timeout", 20),
                             type=payload.get("type"), version=payload.get("version"), progress=note)
        return {"result": result, "progress": progress}
    except SendFailed as failed:
        return {"code": failed.code, "failure": failed.failure, "executed": failed.executed, "text": str(failed), "progress": progress}


logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
worker.run(threads=8)
