#!/usr/bin/python3
"""config_worker.py SOCKET FILE: a worker for tests, which appends each configuration to FILE and refuses a fan.speed above 90."""

import json
import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "connector/worker/python"))

from bmcmesh_worker import Worker  # noqa: E402  (the path comes first)

socket, file = sys.argv[1:3]
worker = Worker("configured", type="chassis", version="1.0", socket=socket)


@worker.command("power.cycle")
def power_cycle(payload, call):
    return payload


@worker.configuration
def configure(values, resources):
    with open(file, "a", encoding="utf-8") as out:
        out.write(json.dumps(values) + "\n")
    if values.get("fan.speed", 0) > 90:
        raise ValueError(f"{values['fan.speed']} is too loud")


logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
worker.run()
