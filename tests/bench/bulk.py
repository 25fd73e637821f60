"""Bodies that are far larger than the memory they may cost: pushed to a satellite and fetched from it."""

import hashlib
import http.client
import json
import random
import ssl
import threading
import time

from lab import Client, Mapping, Problem, memory_kb, reset_peak, wait_until
from lab import SIMULATOR

_PIECE = 1 << 20
_EXTRA = "<= 8"
_STALL = 20.0  # seconds in which not a byte moves


class Watch:
    """How much more memory some processes hold at worst than at the start, in MB."""

    def __init__(self, processes):
        self._processes = processes
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._before = {name: (memory_kb(pid, "RssAnon"), memory_kb(pid, "VmRSS")) for name, pid in self._processes.items()}
        self._most = {name: anon for name, (anon, _) in self._before.items()}
        for pid in self._processes.values():
            reset_peak(pid)
        self._thread.start()
        return self

    def _run(self):
        while not self._end.wait(0.01):
            for name, pid in self._processes.items():
                self._most[name] = max(self._most[name], memory_kb(pid, "RssAnon"))

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()
        self.anonymous = {name: (self._most[name] - before[0]) / 1024 for name, before in self._before.items()}
        self.peak = {name: (memory_kb(pid, "VmHWM") - self._before[name][1]) / 1024 for name, pid in self._processes.items()}


def run(lab, figures):
    node = lab.node("a", False)
    control, satellite = _simulator(lab)
    lab.start_nodes()
    connector = lab.start_connector(satellite, [node])
    mapping = Mapping(satellite.prefix, [satellite.url.partition("//")[2]])
    base = "/redfish/v1/UpdateService"
    lab.await_answer(node, mapping.own_uri(base))
    processes = {"aggregator": lab.children["a"].pid, "connector": connector.pid}
    with lab.client(node) as client:
        push = client.get(mapping.own_uri(base)).json()["HttpPushUri"]
        for _ in range(50):
            client.get(mapping.own_uri(base))  # what the first requests allocate is not this one's
    header = lab.login_header(node)
    with Client(control) as client:
        right = client.get(f"/download-sha256?bytes={lab.length.download}").json()
    with Watch(processes) as watch:
        digest, seconds = _download(lab, node, mapping.own_uri(f"/redfish/v1/Download/{lab.length.download}"), header)
    if digest not in json.dumps(right):
        raise Problem(f"fetched bytes of SHA-256 {digest}, right is {right}")
    _report(figures, "download", lab.length.download, seconds, watch)
    with Watch(processes) as watch:
        try:
            sent, seconds = _upload(lab, node, push, header)
        except TimeoutError:
            raise Problem(f"the upload stood still for {_STALL:.0f} s") from None
    with Client(control) as client:
        seen = client.get("/uploads").json()
    received = _last_upload(seen)
    if received["sha256"] != sent or received["size"] != lab.length.upload:
        raise Problem(f"the satellite received {received}, not {lab.length.upload} bytes of SHA-256 {sent}")
    _report(figures, "upload", lab.length.upload, seconds, watch)


def _simulator(lab):
    """(control URL, satellite): a generated BMC over HTTPS."""
    certificate, key = lab.files.authority.server("bmcsim")
    entries = [{"name": "sim", "generate": True, "systems": 1, "https": True, "auth": "none", "cert": str(certificate),
                "key": str(key)}]
    config, ready = lab.state / "sim.json", lab.state / "sim.ready"
    config.write_text(json.dumps(entries))
    child = lab.start("bmcsim", ["/usr/bin/python3", "-B", SIMULATOR, "--config", config, "--ready-file", ready,
                                 "--die-with-parent"])

    def missing():
        child.require_running()
        return None if ready.exists() else "no ready file yet"
    wait_until(missing, 20, "bmcsim starts")
    entry = json.loads(ready.read_text())[0]
    return entry["control_url"], lab.satellite("sim", entry["url"])


def _connection(lab, node):
    context = ssl.create_default_context(cafile=str(lab.files.authority.certificate))
    return http.client.HTTPSConnection("127.0.0.1", node.facade_port, timeout=_STALL, context=context)


def _upload(lab, node, uri, header):
    """(SHA-256, seconds)"""
    block, digest, left = random.Random(7).randbytes(_PIECE), hashlib.sha256(), lab.length.upload
    begin = time.monotonic()
    connection = _connection(lab, node)
    connection.putrequest("POST", uri)
    for name, value in (header, ("Content-Type", "application/octet-stream"), ("Content-Length", str(left))):
        connection.putheader(name, value)
    connection.endheaders()
    number = 0
    while left > 0:
        piece = (number.to_bytes(8, "big") + block[8:])[:left]
        digest.update(piece)
        connection.send(piece)
        left -= len(piece)
        number += 1
    answer = connection.getresponse()
    body = answer.read()
    if answer.status not in (200, 202, 204):
        raise Problem(f"the upload was answered {answer.status}: {body[:300]}")
    connection.close()
    return digest.hexdigest(), time.monotonic() - begin


def _download(lab, node, uri, header):
    digest, begin = hashlib.sha256(), time.monotonic()
    connection = _connection(lab, node)
    connection.request("GET", uri, headers=dict([header]))
    answer = connection.getresponse()
    if answer.status != 200:
        raise Problem(f"{uri} was answered {answer.status}: {answer.read()[:300]}")
    while piece := answer.read(_PIECE):
        digest.update(piece)
    connection.close()
    return digest.hexdigest(), time.monotonic() - begin


def _last_upload(document):
    uploads = document if isinstance(document, list) else document.get("uploads", [])
    if not uploads:
        raise Problem("the satellite received no upload")
    return uploads[-1]


def _report(figures, what, size, seconds, watch):
    label = f"{what} of {size / 1e6:.0f} MB over TLS"
    for name in watch.anonymous:
        figures.add(f"{label}: extra RssAnon of the {name}", watch.anonymous[name], "MB", _EXTRA,
                    note=f"VmHWM + {watch.peak[name]:.1f} MB")
    figures.add(f"{label}: rate", size / 1e6 / seconds, "MB/s", note="SHA-256 equal")
