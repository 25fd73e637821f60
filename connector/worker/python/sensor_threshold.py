#!/usr/bin/python3
"""sensor_threshold.py (--file FILE | --url URL [--user U --password-file F] [--value PATH]) [--above X] [--below X] [--margin X]
[--topic TOPIC] [--every SECONDS] [--socket PATH] [--listen]: an example of a worker. It reads a number, from a file of
/sys/class/hwmon or from a Redfish sensor, and makes an event of it when it leaves what is usual, and when it comes back.
`--listen` prints the events of this topic of all connectors instead."""

import argparse
import base64
import json
import logging
import ssl
import urllib.request

from bmcmesh_worker import NotAccepted, Worker

parser = argparse.ArgumentParser(description=__doc__.split(": ", 1)[1])
source = parser.add_mutually_exclusive_group()
source.add_argument("--file", help="has the number, for example temp1_input of hwmon")
source.add_argument("--url", help="of a Redfish resource")
parser.add_argument("--value", default="Reading", help="where in it the number is: Temperatures/0/ReadingCelsius")
parser.add_argument("--user", default="")
parser.add_argument("--password-file")
parser.add_argument("--above", type=float, default=float("inf"), help="is too high")
parser.add_argument("--below", type=float, default=float("-inf"), help="is too low")
parser.add_argument("--margin", type=float, default=0, help="so far inside it is normal again")
parser.add_argument("--topic", default="sensor.temperature")
parser.add_argument("--every", type=float, default=5, help="seconds between two readings")
parser.add_argument("--socket", help="the connector's socket for workers")
parser.add_argument("--listen", action="store_true", help="print events")
options = parser.parse_args()
worker = Worker("sensor-threshold", type="sensor", version="1.0", socket=options.socket)


def read_file():
    with open(options.file, encoding="ascii") as file:
        return float(file.read())


def read_redfish():
    request = urllib.request.Request(options.url, headers={"Accept": "application/json"})
    if options.user:
        with open(options.password_file, encoding="utf-8") as file:
            secret = f"{options.user}:{file.read().strip()}"
        request.add_header("Authorization", "Basic " + base64.b64encode(secret.encode()).decode())
    trust = ssl._create_unverified_context() if options.url.startswith("https://127.0.0.1") else None  # this machine's own BMC
    with urllib.request.urlopen(request, timeout=10, context=trust) as answer:
        value = json.load(answer)
    for step in options.value.split("/"):
        value = value[int(step)] if isinstance(value, list) else value[step]
    return float(value)


def judged(value, before):
    if value > options.above or (before == "high" and value > options.above - options.margin):
        return "high"
    if value < options.below or (before == "low" and value < options.below + options.margin):
        return "low"
    return "normal"


def watch():
    before, read = "normal", read_file if options.file else read_redfish
    while not worker.ends(options.every):
        try:
            value = read()
            now = judged(value, before)
            if now != before:
                place = worker.emit(options.topic, now, {"value": value, "was": before}, timeout=30)
                logging.info("%s %s, event %d", options.topic, now, place.sequence)
                before = now
        except NotAccepted as refused:  # it is tried again with the next reading
            logging.error("not accepted: %s", refused)
        except (OSError, ValueError, LookupError, TypeError, TimeoutError) as problem:
            logging.error("no reading: %s", problem)


def listen():
    for event in worker.events(options.topic):
        what = f"{event.lost} events are lost" if event.lost else f"{event.topic} {event.name} {json.dumps(event.payload)}"
        print(event.time, event.source, what, flush=True)


logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
if not options.listen and not options.file and not options.url:
    parser.error("--file, --url or --listen")
with worker:
    listen() if options.listen else watch()
