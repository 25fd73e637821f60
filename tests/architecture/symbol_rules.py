"""What the machine code of the pure modules asks of the outside world: no socket, clock, thread, file or randomness."""

import re
import subprocess
from pathlib import Path

from include_rules import MODULES
from source import Problem

_DENIED = re.compile(
    r"^(?:socket|socketpair|connect|accept4?|bind|listen|send(?:to|msg)?|recv(?:from|msg)?|poll|ppoll|select|epoll_\w+"
    r"|getaddrinfo|open(?:at)?(?:64)?|fopen(?:64)?|freopen(?:64)?|creat|unlink|rename|mkdir|stat(?:64)?|fsync|fdatasync"
    r"|read|write|pread(?:64)?|pwrite(?:64)?|mmap(?:64)?|clock_gettime|clock_nanosleep|gettimeofday|time|nanosleep|usleep|sleep"
    r"|timer_create|timerfd_\w+|getrandom|getentropy|arc4random\w*|rand|srand|random|rand_r|pthread_create|fork|vfork|exec\w+"
    r"|system|popen|getenv|secure_getenv|setenv|signal|sigaction|printf|puts|putchar|perror|syslog|zmq_\w+|SSL_\w+"
    r"|sodium_(?:init|malloc|mlock|set_misuse_handler)|randombytes\w*|uv_\w+|raft_\w+|sqlite3_\w+)$"
    r"|^std::chrono::(?:_V2::)?\w+_clock::now\(|^std::random_device::|^std::thread::|^std::condition_variable::"
    r"|^std::basic_[io]?fstream<|^std::basic_filebuf<|^std::filesystem::|^std::cout$|^std::cerr$|^std::clog$"
    r"|^boost::asio::(?!detail::(?:socket_ops::(?:host|network)_to_))")
# Reviewed: code of a library's header that a pure module links in without running it.
_ALLOWED = {}


def denied(symbol):
    return bool(_DENIED.search(symbol.split("@")[0]))


def undefined_symbols(archive):
    """[(object, symbol)] that no object of the archive itself defines."""
    listed = subprocess.run(["nm", "-C", str(archive)], capture_output=True, text=True, check=True).stdout
    wanted, defined, current = [], set(), archive.name
    for line in listed.splitlines():
        if line.endswith(".o:"):
            current = line[:-1]
            continue
        match = re.match(r"^[0-9a-f]* *([A-Za-z]) (.*)$", line)
        if match:
            kind, symbol = match.groups()
            wanted.append((current, symbol)) if kind in "Uw" else defined.add(symbol)
    return [(origin, symbol) for origin, symbol in wanted if symbol not in defined]


def check_archive(archive):
    for origin, symbol in undefined_symbols(archive):
        if denied(symbol) and symbol not in _ALLOWED.get(archive.name, ()):
            yield Problem(f"{archive.name}({origin})", 0, f"a pure module needs '{symbol}'")


def check(root, build):
    """Every pure module that has sources must have its archive below `build`."""
    for path, module in MODULES.items():
        if module.kind != "pure" or not list((Path(root) / path).glob("*.cpp")):
            continue
        archive = Path(build) / path / f"lib{path.replace('/', '_')}.a"
        if archive.is_file():
            yield from check_archive(archive)
        else:
            yield Problem(path, 0, f"has not been built: {archive} is missing")
