#!/usr/bin/python3
"""Walks a whole mesh and compares it with its satellites, resource by resource.

    walk.py --env STATE/quickstart.env       a mesh that deploy/quickstart runs
    walk.py [--mockup NAME]... [--generated N]   a mesh of its own, of these machines (default: every mockup)

Asserts, for every satellite: each of its resources is on the facade, byte for byte as the satellite has it with its URIs
mapped (by mapping.py, which shares no code with the product); merged collections are complete; following links from the
facade's root reaches all that links reach on the satellite; nothing dangles that did not dangle there.
"""

import argparse
import asyncio
import json
import os
import shlex
import ssl
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import yarl

from mapping import ROOT, Mapping, collection_depth, is_merged, is_published_registry, path_key, split_path

CONCURRENCY = 12
MAX_SHOWN = 8  # of each kind of problem
# The facade's own, not merged; and a session list that our own requests do not change is rare.
_SHARED = {"jsonschemas"}
_VOLATILE = ("sessionservice/sessions",)


@dataclass
class Resource:
    status: int
    body: bytes
    kind: str  # Content-Type without parameters


@dataclass
class Machine:
    """One satellite, as asked directly."""
    name: str
    url: str
    mapping: Mapping
    user: str = ""
    password: str = ""
    found: dict = field(default_factory=dict)  # path key -> (URI, Resource)


class Findings:
    """Problems by kind, so that one defect with a thousand faces does not hide another."""

    def __init__(self):
        self.problems, self.counted = {}, Counter()

    def problem(self, kind, what):
        self.problems.setdefault(kind, []).append(what)

    def total(self):
        return sum(map(len, self.problems.values()))

    def report(self):
        for kind, problems in self.problems.items():
            print(f"  {kind}: {len(problems)}")
            for what in problems[:MAX_SHOWN]:
                print("    " + what)


class Site:
    """One HTTPS server, asked with bounded concurrency. Local machines' certificates are trusted only for the facade,
    by its CA; what a simulated BMC shows is compared, not believed."""

    def __init__(self, url, user, password, tls):
        self.url = url.rstrip("/")
        login = aiohttp.BasicAuth(user, password) if user else None
        self._session = aiohttp.ClientSession(auth=login, connector=aiohttp.TCPConnector(ssl=tls, limit=CONCURRENCY),
                                              timeout=aiohttp.ClientTimeout(total=120), auto_decompress=True)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self._session.close()

    async def get(self, target):
        try:
            async with self._session.get(yarl.URL(self.url + target, encoded=True), allow_redirects=False) as answer:
                return Resource(answer.status, await answer.read(), answer.content_type)
        except (aiohttp.ClientError, asyncio.TimeoutError) as error:
            return Resource(0, repr(error).encode(), "")


def request_target(uri):
    """Path and query of a link; None for one that is not of the tree, is a template, or names the root."""
    target = uri.split("#", 1)[0]
    segments = split_path(target)
    if not segments or any(character in target for character in "{}<>\" \\^`|"):
        return None
    return target


def links(body):
    """Link targets in a JSON body: values of @odata.id and of the members that are followed by clients."""
    try:
        document = json.loads(body)
    except ValueError:
        return
    pending = [document]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending += value
        elif isinstance(value, dict):
            for name, inner in value.items():
                if isinstance(inner, str) and (name in ("@odata.id", "@odata.nextLink", "@Redfish.ActionInfo", "Uri",
                                                        "DataSourceUri") or name.endswith("@odata.nextLink")):
                    yield inner
                elif isinstance(inner, (dict, list)):
                    pending.append(inner)


def resource_key(target):
    """What two links to one resource have in common. A query makes another resource of a path."""
    path, mark, query = target.partition("?")
    return path_key(path) + mark + query


async def crawl(site, starts):
    """{key: (URI, Resource)} of all that links reach from `starts`."""
    found, queue, busy = {}, asyncio.Queue(), set()

    def add(uri):
        target = request_target(uri)
        if target is None:
            return
        key = resource_key(target)
        if key not in busy:
            busy.add(key)
            queue.put_nowait((key, target))

    async def work():
        while True:
            key, target = await queue.get()
            resource = await site.get(target)
            found[key] = (target, resource)
            for uri in links(resource.body) if resource.status == 200 else ():
                add(uri)
            queue.task_done()

    for uri in starts:
        add(uri)
    workers = [asyncio.create_task(work()) for _ in range(CONCURRENCY)]
    await queue.join()
    for worker in workers:
        worker.cancel()
    return found


async def starts_of(site):
    root = await site.get(ROOT + "/")
    return list(links(root.body)), root


def expected_text(machine, uri, resource):
    if resource.kind in ("application/json", "text/json"):
        return machine.mapping.body(resource.body.decode(), uri.split("?")[0]).encode()
    return resource.body


async def compare(facade, bmc, machine, findings):
    """Every resource of the satellite, one by one."""
    async def one(uri, resource):
        target = machine.mapping.own_uri(uri)
        findings.counted["compared"] += 1
        here = await facade.get(target)
        if (here.status, here.body) == (resource.status, expected_text(machine, uri, resource)):
            return
        again = await bmc.get(uri)  # it may have changed in between
        here = await facade.get(target)
        if here.status != again.status:
            findings.problem("another status than on the satellite",
                             f"{machine.name}: {uri} is {again.status}, {target} is {here.status} {here.body[:160]!r}")
        elif again.status < 400 and here.body != expected_text(machine, uri, again):
            findings.problem("another body than on the satellite", f"{machine.name}: {target} "
                             f"{first_difference(expected_text(machine, uri, again), here.body)}")

    limit = asyncio.Semaphore(CONCURRENCY)

    async def bounded(uri, resource):
        async with limit:
            await one(uri, resource)
    await asyncio.gather(*(bounded(uri, resource) for key, (uri, resource) in machine.found.items()
                           if not key.startswith(_VOLATILE)))


def first_difference(expected, seen):
    at = next((n for n, (a, b) in enumerate(zip(expected, seen)) if a != b), min(len(expected), len(seen)))
    begin = max(0, at - 60)
    return f"at byte {at}: expected {expected[begin:at + 60]!r}, seen {seen[begin:at + 60]!r}"


def members_of(resource):
    try:
        return [member["@odata.id"] for member in json.loads(resource.body)["Members"]]
    except (ValueError, KeyError, TypeError):
        return None


async def compare_collections(facade, machines, findings):
    """Each merged collection has every machine's members, in order, once, and says how many they are."""
    wanted = {}
    for machine in machines:
        for key, (uri, resource) in machine.found.items():
            segments = split_path(uri)
            if "?" in key or resource.status != 200 or collection_depth(segments) != len(segments) or key in _SHARED:
                continue
            if members_of(resource) is not None and not key.startswith(_VOLATILE):
                wanted.setdefault(key, []).append((machine, uri, members_of(resource)))
    for key, parts in wanted.items():
        findings.counted["collections"] += 1
        uri = parts[0][1]
        merged = await facade.get(uri)
        listed = members_of(merged)
        if merged.status != 200 or listed is None:
            findings.problem("a merged collection", f"{uri} is {merged.status} {merged.body[:160]!r}")
            continue
        document = json.loads(merged.body)
        if document.get("Members@odata.count") != len(listed):
            findings.problem("a merged collection",
                             f"{uri} counts {document.get('Members@odata.count')}, lists {len(listed)}")
        if len(set(listed)) != len(listed):
            findings.problem("a merged collection", f"{uri} lists a member twice")
        for machine, _, members in parts:
            mapped = list(dict.fromkeys(machine.mapping.listed_uri(member) for member in members))
            shown = [member for member in listed if member in set(mapped)]
            if any(map(is_published_registry, mapped)):  # they stand where the first satellite that has them does
                shown, mapped = sorted(shown), sorted(mapped)
            if shown != mapped and "@odata.nextLink" not in json.dumps(document):
                missing = [member for member in mapped if member not in shown]
                findings.problem("a merged collection", f"{uri}: {machine.name}'s members are "
                                 f"{'missing: ' + str(missing[:3]) if missing else 'in another order'}")


def linked_from_collections(machine):
    """Keys of what a satellite's top-level collections reach without passing through its root or its services."""
    def is_start(segments):
        return collection_depth(segments) == len(segments) and "/".join(segments).lower() not in _SHARED
    pending = [key for key, (uri, _) in machine.found.items() if is_start(split_path(uri))]
    seen = set(pending)
    while pending:
        uri, resource = machine.found[pending.pop()]
        for link in links(resource.body) if resource.status == 200 else ():
            target = request_target(link)
            key = resource_key(target) if target else None
            if key in machine.found and key not in seen and not is_merged(split_path(target)):
                seen.add(key)
                pending.append(key)
    return seen


async def walk_from_the_root(facade, machines, findings):
    """Links alone, from the facade's root: what they reach, and what they promise in vain. Where the facade lists its
    satellites as AggregationSources, which link all that they have, everything must be reached; else what collections
    reach."""
    starts, root = await starts_of(facade)
    if root.status != 200:
        findings.problem("the root", f"is {root.status}")
        return
    reached = await crawl(facade, starts)
    findings.counted["reached from the root"] = sum(resource.status == 200 for _, resource in reached.values())
    complete = any(key.startswith("aggregationservice/aggregationsources/") for key in reached)
    ok = {key for key, (_, resource) in reached.items() if resource.status == 200}
    allowed = set()
    for machine in machines:
        required = machine.found.keys() if complete else linked_from_collections(machine)
        for key, (uri, resource) in machine.found.items():
            mapped = {resource_key(address(uri)) for address in (machine.mapping.own_uri, machine.mapping.uri,
                                                                 machine.mapping.listed_uri)}
            if resource.status != 200:
                allowed |= mapped
            elif key in required and not key.startswith(_VOLATILE) and not mapped & ok:
                findings.problem("not reached from the facade's root", f"{machine.name}: {uri}")
    for key, (uri, resource) in sorted(reached.items()):
        volatile = any(part in key for part in _VOLATILE)
        if resource.status not in (200, 204) and key not in allowed and not volatile:
            findings.problem("dangles on the facade only", f"{uri} is {resource.status}")


async def walk(facade_url, ca, user, password, machines):
    """The findings about one facade. Machines' trees are read once, for all facades."""
    findings = Findings()
    trust = ssl.create_default_context(cafile=ca)
    begun = time.monotonic()
    async with Site(facade_url, user, password, trust) as facade:
        for machine in machines:
            async with Site(machine.url, machine.user, machine.password, False) as bmc:
                if not machine.found:
                    machine.found = await crawl(bmc, (await starts_of(bmc))[0])
                findings.counted["resources"] += sum(r.status == 200 for _, r in machine.found.values())
                findings.counted["dangling on the satellites"] += sum(r.status >= 400 for _, r in machine.found.values())
                await compare(facade, bmc, machine, findings)
        await compare_collections(facade, machines, findings)
        await walk_from_the_root(facade, machines, findings)
    counts = ", ".join(f"{count} {what}" for what, count in findings.counted.items())
    print(f"{facade_url}: {counts}; {findings.total()} problems ({time.monotonic() - begun:.1f} s)")
    if not any(resource.status == 200 for machine in machines for _, resource in machine.found.values()):
        findings.problem("nothing to walk", "no satellite showed anything")
    findings.report()
    return findings


def machine_of(name, url, user, password, prefix):
    return Machine(name, url, Mapping(prefix, [urlsplit(url).netloc]), user, password)


def from_environment(path):
    """(facades, CA, user, password, machines) of a quickstart.env."""
    values = {}
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition("=")
        values[key] = "".join(shlex.split(value))
    numbered = lambda stem: [n for n in range(1, 1000) if stem.format(n) in values]  # noqa: E731
    machines = [machine_of(f"satellite {n}", values[f"SATELLITE_{n}_URL"], values[f"SATELLITE_{n}_USER"],
                           values[f"SATELLITE_{n}_PASSWORD"], values[f"PREFIX_{n}"]) for n in numbered("SATELLITE_{}_URL")]
    facades = [values[f"FACADE_{n}"] for n in numbered("FACADE_{}")]
    return facades, values["CA"], values["ADMIN_USER"], values["ADMIN_PASSWORD"], machines


def walk_own_mesh(mockups, generated):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration"))
    from harness import USER, Mesh, Sim
    sims = [Sim(f"m{n}", mockup) for n, mockup in enumerate(mockups, 1)]
    sims += [Sim(f"g{n}", options={"systems": 3}) for n in range(1, generated + 1)]
    with Mesh(sims, aggregators=2) as mesh:
        machines = [machine_of(f"{satellite.name} ({Path(sim.mockup).name or 'generated'})", satellite.url, satellite.user,
                               satellite.password(), satellite.prefix) for sim, satellite in zip(sims, mesh.satellites)]
        return asyncio.run(walk(mesh.aggregators[-1].facade, str(mesh.ca), USER, mesh.password, machines)).total()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", help="quickstart.env of a running mesh")
    parser.add_argument("--mockup", action="append", default=[], metavar="NAME", help="a folder beside the checkout, or a path")
    parser.add_argument("--generated", type=int, default=0, metavar="N", help="generated machines in a mesh of its own")
    given = parser.parse_args()
    if given.env:
        facades, ca, user, password, machines = from_environment(given.env)
        problems = sum(asyncio.run(walk(facade, ca, user, password, machines)).total() for facade in facades)
    else:
        mockups = given.mockup
        if not mockups and not given.generated:
            beside = Path(os.environ.get("MESH_MOCKUPS", Path(__file__).resolve().parents[2].parent / "shared/mockups"))
            mockups = sorted(folder.name for folder in beside.iterdir())
        problems = walk_own_mesh(mockups, given.generated)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
