"""Options of one satellite and of the process; `k=v,k=v` strings and JSON objects mean the same."""

import dataclasses
from dataclasses import dataclass

AUTH = ("none", "basic", "session", "session-only")
MONITORS = ("monitors", "tasks")
# May be changed while running, by the control API.
LIVE = ("page", "power_ms", "task_ms", "retry_after", "hold_tasks", "max_sessions", "require_etag", "sse_keepalive_ms",
        "manager_reset_ms", "absolute")


@dataclass
class Options:
    name: str = ""
    mockup: str = ""            # folder in DMTF mockup layout
    generate: bool = False      # or a generated tree
    systems: int = 1            #   with that many systems
    entries: int = 120          #   and that many entries in each SEL
    seed: int = 1
    host: str = "127.0.0.1"
    port: int = 0
    https: bool = True
    cert: str = ""
    key: str = ""
    auth: str = "session"       # none | basic | session (tokens and Basic, as real BMCs) | session-only
    user: str = "root"
    password: str = "password"
    uuid: str = ""              # replaces the ServiceRoot's
    page: int = 0               # members per page; 0: as stored (log entries of a generated tree: 50)
    power_ms: int = 200         # length of one power transition
    task_ms: int = 300          # life of a task
    retry_after: int = 1        # seconds, in 202 replies
    monitor: str = "monitors"   # TaskService/TaskMonitors/N, or "tasks": TaskService/Tasks/N/Monitor
    hold_tasks: bool = False    # tasks run until the control API finishes them
    sse: bool = True            # adds ServerSentEventUri to an EventService that lacks it
    sse_keepalive_ms: int = 15000
    keepalive: float = 75.0     # seconds until an idle connection is closed
    max_sessions: int = 0
    require_etag: bool = False  # PATCH without If-Match is 428
    absolute: bool = False      # Location headers are whole URLs, as of some BMCs
    manager_reset_ms: int = 0   # Manager.Reset takes the satellite off the network for so long


def convert(field, value):
    kind = field.type if isinstance(field.type, str) else field.type.__name__
    if kind == "bool":
        if isinstance(value, str):
            if value.lower() not in ("0", "1", "true", "false", "yes", "no", ""):
                raise ValueError(f"{field.name}={value}: not a boolean")
            return value.lower() in ("1", "true", "yes", "")
        return bool(value)
    return {"int": int, "float": float, "str": str}[kind](value)


def from_mapping(values):
    fields = {field.name: field for field in dataclasses.fields(Options)}
    unknown = set(values) - set(fields)
    if unknown:
        raise ValueError(f"unknown option: {', '.join(sorted(unknown))}")
    options = Options(**{name: convert(fields[name], value) for name, value in values.items()})
    if bool(options.mockup) == options.generate:
        raise ValueError("a satellite needs either mockup=DIR or generate=1")
    if options.auth not in AUTH:
        raise ValueError(f"auth={options.auth}: one of {', '.join(AUTH)}")
    if options.monitor not in MONITORS:
        raise ValueError(f"monitor={options.monitor}: one of {', '.join(MONITORS)}")
    if bool(options.cert) != bool(options.key):
        raise ValueError("cert and key go together")
    return options


def from_text(text):
    """`mockup=DIR,port=0,...`; values cannot contain a comma (use --config for those)."""
    return from_mapping(dict((part.partition("=")[0].strip(), part.partition("=")[2])
                             for part in text.split(",") if part.strip()))


def change(options, values):
    fields = {field.name: field for field in dataclasses.fields(Options)}
    for name, value in values.items():
        if name not in LIVE:
            raise ValueError(f"{name} cannot be changed while running")
        setattr(options, name, convert(fields[name], value))
