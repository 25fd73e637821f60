#!/usr/bin/python3
"""power_cycle.py [--socket PATH] [--off COMMAND] [--on COMMAND]: an example of a worker. It serves `power.cycle`: off, a while of
nothing, on again. Without the two commands of your board's it only pretends."""

import argparse
import logging
import subprocess
import time

from bmcmesh_worker import Failed, Worker

SCHEMA = {
    "type": "object",
    "required": ["system"],
    "additionalProperties": False,
    "properties": {
        "system": {"type": "string", "minLength": 1, "maxLength": 32},
        "off_seconds": {"type": "integer", "minimum": 1, "maximum": 60},
    },
}

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--socket", help="the connector's socket for workers")
parser.add_argument("--off", default="true", help="switches the system off; it is called with the system's name")
parser.add_argument("--on", default="true", help="switches it on")
options = parser.parse_args()
worker = Worker("power", type="chassis", version="1.0", socket=options.socket)


def switch(command, system):
    if subprocess.run([*command.split(), system], stdin=subprocess.DEVNULL).returncode != 0:
        raise Failed("switch_failed", f"'{command} {system}' failed")


@worker.command("power.cycle", SCHEMA)
def power_cycle(payload, call):
    system, seconds = payload["system"], payload.get("off_seconds", 3)
    if call.remaining() < seconds:
        raise Failed("no_time", f"{seconds} s of darkness do not fit into {call.remaining():.0f} s")
    call.progress(0, f"switching {system} off")
    switch(options.off, system)
    for second in range(seconds):
        call.progress(10 + 80 * second // seconds, f"off, {seconds - second} s to go")
        time.sleep(1)
    call.progress(90, f"switching {system} on")
    switch(options.on, system)
    return {"system": system, "off_seconds": seconds}


logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
worker.run()
