#!/usr/bin/python3
"""secret_worker.py SOCKET: serves test.digest, which answers the SHA-256 of a secret; its value must not travel on in a reply."""

import hashlib
import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "connector/worker/python"))
from bmcmesh_worker import Worker  # noqa: E402  (the path comes first)

worker = Worker("secrets", type="test-secrets", version="1.0", socket=sys.argv[1])


@worker.command("test.digest", {"type": "object", "required": ["name"]})
def digest(payload, call):
    return {"sha256": hashlib.sha256(worker.secret(payload["name"])).hexdigest()}


logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
worker.run()
