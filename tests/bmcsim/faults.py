"""Faults that a test orders: which requests they meet, and what they do to them."""

import asyncio
import dataclasses
import gzip
import itertools
import random
import re
from dataclasses import dataclass, field
from typing import Optional

import wire
from reply import Reply, error
from wire import Shape

# kind -> parameters it takes, with their defaults. The first group acts before (or instead of) the answer; `execute`
# carries the request out first, `after_bytes` acts when so much of the request's body has come.
BEFORE = {
    "delay": {"ms": 1000, "execute": False},
    "hang": {"execute": False, "after_bytes": None},
    "reset": {"execute": False, "after_bytes": None},
    "close": {"execute": False, "after_bytes": None},
    "status": {"execute": False, "status": 500, "body": None, "headers": {}},
    "unauthorized": {"expire": False},
    "redirect": {"status": 307, "location": None},
}
# The second changes the answer or how it is sent.
AFTER = {
    "truncate": {"bytes": 0.5},     # a share below 1, else bytes of the body
    "invalid-json": {},
    "length": {"delta": 10},        # Content-Length minus the true length; negative: body longer than announced
    "stale": {"mode": "close"},     # "close": FIN right after the reply; "on-next": when the next request has come
    "drip": {"rate": 100},
    "gzip": {},
    "hang-after-head": {},
    "no-content-type": {},
    "chunked": {},
    "headers": {"set": {}, "remove": []},
}
KINDS = {**BEFORE, **AFTER}


@dataclass
class Fault:
    id: int
    kind: str
    satellite: Optional[str]        # None: all
    method: Optional[str]
    path: Optional[str]             # regular expression, searched in path?query
    times: Optional[int]            # None: always
    skip: int
    probability: float
    parameters: dict = field(default_factory=dict)
    hits: int = 0

    def meets(self, satellite, method, target):
        return (self.times != 0 and self.satellite in (None, satellite) and self.method in (None, method)
                and (self.path is None or re.search(self.path, target) is not None))

    def __getattr__(self, name):
        try:
            return self.__dict__["parameters"][name]
        except KeyError:
            raise AttributeError(name) from None


def parse(number, spec):
    spec = dict(spec)
    kind = spec.pop("kind", None)
    if kind not in KINDS:
        raise ValueError(f"kind: one of {', '.join(KINDS)}")
    match = dict(spec.pop("match", None) or {})
    path = match.pop("path", None)
    try:
        re.compile(path or "")
    except re.error as problem:
        raise ValueError(f"path: {problem}") from problem
    fault = Fault(number, kind, spec.pop("satellite", None), match.pop("method", None), path, spec.pop("times", None),
                  spec.pop("skip", 0), float(spec.pop("probability", 1.0)))
    unknown = set(spec) - set(KINDS[kind]) | set(match)
    if unknown:
        raise ValueError(f"{kind} does not take {', '.join(sorted(unknown))}")
    fault.parameters = {**KINDS[kind], **spec}
    return fault


class Faults:
    """One list for the process. Used up faults stay listed with their hits until deleted."""

    def __init__(self, seed):
        self._random = random.Random(seed)
        self._numbers = itertools.count(1)
        self._list = []

    def add(self, spec):
        fault = parse(next(self._numbers), spec)
        self._list.append(fault)
        return fault.id

    def remove(self, number=None, satellite=None):
        before = len(self._list)
        self._list = [fault for fault in self._list if (number is not None and fault.id != number)
                      or (satellite is not None and fault.satellite != satellite)]
        return before - len(self._list)

    def listed(self):
        return [dataclasses.asdict(fault) for fault in self._list]

    def pick(self, satellite, method, target):
        """The faults that meet this request, in the order they were added; each is counted as a hit."""
        picked = []
        for fault in self._list:
            if not fault.meets(satellite, method, target):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.probability < 1.0 and self._random.random() >= fault.probability:
                continue
            fault.hits += 1
            if fault.times is not None:
                fault.times -= 1
            picked.append(fault)
        return picked


async def before(fault, satellite, call):
    """What a BEFORE fault does. Returns a Reply to send, wire.Sent() if nothing is to be sent, None to go on."""
    if fault.kind == "delay":
        reply = await satellite.answer(call) if fault.execute else None
        await asyncio.sleep(fault.ms / 1000)
        return reply
    if fault.parameters.get("after_bytes"):
        await consume(call.request, fault.after_bytes)
    elif fault.parameters.get("execute"):
        await satellite.answer(call)
    if fault.kind == "hang":
        await wire.until_gone(call.request)
        return wire.Sent()
    if fault.kind == "reset":
        wire.reset(call.request)
        return wire.Sent()
    if fault.kind == "close":
        wire.close(call.request)
        return wire.Sent()
    if fault.kind == "unauthorized":
        if fault.expire:
            satellite.auth.expire()
        return satellite.auth.unauthorized()
    if fault.kind == "redirect":
        return Reply(fault.status, headers={"Location": fault.location or call.target + "/"})
    if fault.body is None:
        answer = error(fault.status, "GeneralError")
    else:
        answer = Reply(fault.status, fault.body.encode(), {"Content-Type": "application/json"} if fault.body else {})
    answer.headers.update(fault.headers)
    return answer


async def consume(request, count):
    """Reads that many bytes of the request's body and leaves the rest."""
    while count > 0 and not request.content.at_eof():
        count -= len(await request.content.readany())


def after(fault, reply, shape):
    """Applies an AFTER fault to the reply and to its shape (both changed in place)."""
    if fault.kind == "truncate":
        shape.cut = fault.bytes
    elif fault.kind == "invalid-json":
        reply.body = reply.body[:len(reply.body) // 2] + b'{"broken": tru, ]'
    elif fault.kind == "length":
        shape.claim = fault.delta
    elif fault.kind == "stale":
        shape.close = fault.mode == "close"
    elif fault.kind == "drip":
        shape.rate = fault.rate
    elif fault.kind == "gzip" and reply.stream is None:
        reply.body = gzip.compress(reply.body, mtime=0)
        reply.headers["Content-Encoding"] = "gzip"
    elif fault.kind == "hang-after-head":
        shape.hang = True
    elif fault.kind == "no-content-type":
        shape.untyped = True
    elif fault.kind == "chunked":
        shape.chunked = True
    elif fault.kind == "headers":
        for name in fault.remove:
            reply.headers = {each: value for each, value in reply.headers.items() if each.lower() != name.lower()}
        reply.headers.update(fault.set)


def shape_of(faults, reply):
    """The Shape for the AFTER faults among these, None if there are none."""
    chosen = [fault for fault in faults if fault.kind in AFTER]
    if not chosen:
        return None
    shape = Shape()
    for fault in chosen:
        after(fault, reply, shape)
    return shape
