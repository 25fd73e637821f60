"""nginx as satellite and as proxy, with a prefix of its own, and wrk as the client of all."""

import json
import os
import re
import subprocess
from dataclasses import dataclass, field

from lab import Problem, cpu_seconds, switches, wait_until

SYSTEM = "/redfish/v1/Systems/1"
_BASE = """
worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
  access_log off; server_tokens off; tcp_nodelay on; keepalive_requests 10000000; keepalive_timeout 600;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3;
  {rest}
}}
"""
_SATELLITE = """
  open_file_cache max=100; types {{ }} default_type application/json; sendfile on;
  server {{
    listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl; root {folder}/html;
    location = /redfish/v1/ {{ try_files /root.json =404; }}
    location = /redfish/v1/Systems {{ try_files /systems.json =404; }}
    location = /redfish/v1/Systems/1 {{ try_files /system.json =404; }}
    location / {{ return 404; }}
  }}
"""
_PROXY = """
  proxy_http_version 1.1; proxy_set_header Connection "";
  upstream plain {{ server 127.0.0.1:{to_plain}; keepalive 128; keepalive_requests 10000000; }}
  upstream tls {{ server 127.0.0.1:{to_tls}; keepalive 128; keepalive_requests 10000000; }}
  server {{ listen 127.0.0.1:{plain}; location / {{ proxy_pass http://plain; }} }}
  server {{ listen 127.0.0.1:{tls} ssl;
    location / {{ proxy_pass https://tls; proxy_ssl_verify on; proxy_ssl_trusted_certificate {ca};
                  proxy_ssl_name localhost; proxy_ssl_session_reuse on; }} }}
"""


def system_body():
    """4 KB with 20 URIs."""
    def link(uri):
        return {"@odata.id": f"{SYSTEM}{uri}"}

    names = ["Bios", "Processors", "Memory", "EthernetInterfaces", "SimpleStorage", "Storage", "LogServices", "SecureBoot",
             "NetworkInterfaces", "MemoryDomains", "VirtualMedia", "GraphicsControllers", "USBControllers", "FabricAdapters",
             "Certificates"]
    document = {"@odata.type": "#ComputerSystem.v1_20_0.ComputerSystem", **link(""), "Id": "1", "Name": "System",
                **{name: link("/" + name) for name in names},
                "Links": {"Chassis": [{"@odata.id": "/redfish/v1/Chassis/1"}],
                          "ManagedBy": [{"@odata.id": "/redfish/v1/Managers/1"}]},
                "Actions": {"#ComputerSystem.Reset": {"target": SYSTEM + "/Actions/ComputerSystem.Reset"},
                            "#ComputerSystem.SetDefaultBootOrder":
                                {"target": SYSTEM + "/Actions/ComputerSystem.SetDefaultBootOrder"}},
                "BootProgress": {}, "Description": ""}
    filler = {f"Property{number}": f"value number {number}" for number in range(40)}
    document["Oem"] = {"Example": filler}
    document["Description"] = "x" * (4096 - len(json.dumps(document)))
    body = json.dumps(document)
    assert len(body) == 4096 and body.count("/redfish/v1/") == 20, (len(body), body.count("/redfish/v1/"))
    return body


@dataclass
class Nginx:
    plain: str
    tls: str
    pid: int    # of the one worker


def _start(lab, name, rest, **values):
    folder = lab.state / name
    (folder / "html").mkdir(parents=True)
    certificate, key = lab.files.authority.server(name)
    values |= {"plain": lab.port(), "tls": lab.port(), "folder": folder, "ca": lab.files.authority.certificate}
    config = folder / "nginx.conf"
    config.write_text(_BASE.format(folder=folder, certificate=certificate, key=key, rest=rest.format(**values)))
    if os.geteuid() == 0:
        config.write_text("user root;" + config.read_text())
    child = lab.start(name, [lab.tool("nginx"), "-p", folder, "-e", folder / "error.log", "-c", config])
    workers = []

    def missing():
        child.require_running()
        listed = open(f"/proc/{child.pid}/task/{child.pid}/children").read().split()
        workers[:] = map(int, listed)
        return None if len(listed) == 1 else "no worker yet"
    wait_until(missing, 10, f"{name} starts")
    return Nginx(f"http://127.0.0.1:{values['plain']}", f"https://127.0.0.1:{values['tls']}", workers[0]), folder


def start_satellite(lab, name="nginx-satellite"):
    nginx, folder = _start(lab, name, _SATELLITE)
    html = folder / "html"
    (html / "root.json").write_text(json.dumps({
        "@odata.id": "/redfish/v1/", "@odata.type": "#ServiceRoot.v1_15_0.ServiceRoot", "Id": "RootService", "Name": "Root",
        "RedfishVersion": "1.15.0", "UUID": "92384634-2938-2342-8820-489239905423",
        "Systems": {"@odata.id": "/redfish/v1/Systems"}}))
    (html / "systems.json").write_text(json.dumps({
        "@odata.id": "/redfish/v1/Systems", "@odata.type": "#ComputerSystemCollection.ComputerSystemCollection",
        "Name": "Systems", "Members@odata.count": 1, "Members": [{"@odata.id": SYSTEM}]}))
    (html / "system.json").write_text(system_body())
    return nginx


def start_proxy(lab, satellite):
    return _start(lab, "nginx-proxy", _PROXY, to_plain=satellite.plain.rpartition(":")[2],
                  to_tls=satellite.tls.rpartition(":")[2])[0]


@dataclass
class Sample:
    per_second: float
    latency_us: float                       # median
    cpu_us: dict = field(default_factory=dict)   # of each process, per request
    sleeps: dict = field(default_factory=dict)   # of each process, per request


def wrk(lab, url, connections, seconds, headers=(), processes=None, script=None):
    """Asks `url` all the time. Problem if a single answer was not a success. `processes`: {name: pid} to account."""
    processes = processes or {}
    command = [lab.tool("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "10s"]
    for name, value in headers:
        command += ["-H", f"{name}: {value}"]
    command += ["-s", script] if script else []
    before = {name: (cpu_seconds(pid), switches(pid)) for name, pid in processes.items()}
    done = subprocess.run([*map(str, command), url], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    after = {name: (cpu_seconds(pid), switches(pid)) for name, pid in processes.items()}
    said = done.stdout
    count = re.search(r"(\d+) requests in", said)
    if done.returncode != 0 or not count or int(count[1]) == 0 or "Non-2xx" in said or "Socket errors" in said:
        raise Problem(f"wrk {url}: {done.stderr}{said}")
    requests = int(count[1])
    middle = re.search(r"50%\s+([\d.]+)(us|ms|s)", said)
    return Sample(float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]),
                  float(middle[1]) * {"us": 1, "ms": 1e3, "s": 1e6}[middle[2]],
                  {name: (after[name][0] - before[name][0]) * 1e6 / requests for name in processes},
                  {name: (after[name][1] - before[name][1]) / requests for name in processes})
