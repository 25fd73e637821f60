"""Who may include whom: the module table of the architecture, applied to every #include."""

import re

from source import Module, Problem, is_test, line_of, product_files, strip_comments

_PROTO_CODEC = re.compile(r"codec\w*\.cpp$")

# Path of a module: what kind it is, and which other modules it may include. A module may always include itself.
MODULES = {
    "proto": Module("data", ()),
    "shoset/base": Module("pure", ()),
    "shoset/uri": Module("pure", ("shoset/base",)),
    "shoset/core": Module("pure", ("shoset/base", "proto")),
    "shoset/sealing": Module("pure", ("shoset/base", "shoset/core")),
    "tenants": Module("pure", ("shoset/base", "proto")),
    "cluster/core": Module("pure", ("shoset/base", "proto", "shoset/core", "tenants")),
    "cluster/history/core": Module("pure", ("shoset/base",)),
    "connector/core": Module("pure", ("shoset/base", "shoset/uri", "shoset/core", "shoset/sealing")),
    "aggregator/core": Module("pure", ("shoset/base", "shoset/uri", "shoset/core", "shoset/sealing", "tenants", "cluster/core",
                                       "cluster/history/core")),
    "shoset/host": Module("shell", ("shoset/base",)),
    "shoset/config": Module("shell", ("shoset/base", "shoset/host")),
    "shoset/http": Module("shell", ("shoset/base", "shoset/host")),
    "shoset/zmq": Module("shell", ("shoset/base", "shoset/core", "shoset/host")),
    "cluster/local": Module("shell", ("shoset/base", "cluster/core", "shoset/host")),
    "cluster/raft": Module("shell", ("shoset/base", "cluster/core", "shoset/host")),
    "cluster/history": Module("shell", ("shoset/base", "cluster/history/core", "shoset/host")),
    "connector/redfish": Module("shell", ("shoset/base", "shoset/host", "shoset/http", "connector/core")),
    "aggregator/http": Module("shell", ("shoset/base", "shoset/host", "shoset/http", "aggregator/core")),
    "aggregator/setup": Module("shell", ("shoset/base", "shoset/core", "shoset/host", "shoset/config", "shoset/zmq",
                                          "cluster/history/core")),
    "connector": Module("root", None),
    "aggregator": Module("root", None),
    "deploy/meshctl": Module("root", None),
    "tests/simulation": Module("tests", None),
    "tests/fuzz": Module("tests", None),
    "tests/bench": Module("tests", None),
    "tests/soak": Module("tests", None),
}
# What the table does not say in general: a shell takes the type of what it stores, though no tenant rule.
_EXTRA_HEADERS = {("cluster/local", "tenants/registry.hpp")}
_ROLES = ("connector", "aggregator")

_LIMITS = "shoset/base/limits.hpp"
_LIMIT = re.compile(r"\blimits::\w")
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.M)
_IMPURE_HEADERS = {"thread", "mutex", "shared_mutex", "condition_variable", "future", "fstream", "filesystem", "iostream",
                   "ctime", "time.h", "unistd.h", "poll.h", "fcntl.h", "pthread.h", "stop_token", "latch",
                   "barrier", "semaphore", "syncstream"}
_IMPURE_HEADER_PREFIXES = ("sys/", "boost/asio", "boost/beast/core/tcp", "zmq", "openssl/", "netinet/", "arpa/", "uv")
# Forbidden in headers of pure modules, allowed in their sources.
_LIGHT_HEADERS = {"nlohmann/json_fwd.hpp"}  # of what would else be heavy: declarations alone
_HEAVY_HEADER_PREFIXES = ("boost/asio", "boost/beast", "zmq", "nlohmann/", "yaml-cpp/", "google/protobuf")
_IMPURE_CALLS = re.compile(
    r"::now\s*\(|\bstd::random_device\b|\b(?:std::)?(?:getenv|fopen|rand|srand)\s*\(|\bsleep\w*\s*\(|\busleep\s*\("
    r"|(?<![\w.>:])(?:std::|::)?time\s*\(\s*(?:nullptr|NULL|0|&)|\b(?:clock_gettime|gettimeofday|getrandom|getentropy)\s*\("
    r"|\bstd::(?:thread|jthread|mutex|async|cout|cerr|ofstream|ifstream)\b|\bprintf\s*\(|(?<![\w.>:])::(?:socket|connect|"
    r"send|recv|open|read|write)\s*\(")
# Header prefix, what it is called in messages, how many files of the product may include it.
_ONE_FILE_ONLY = (("boost/beast", "Boost.Beast"), ("boost/asio/ssl", "Asio's TLS"))


def module_of(path):
    """The longest module that `path` (relative, with '/') is in, or None."""
    folder = path.rpartition("/")[0]
    while folder:
        if folder in MODULES:
            return folder
        folder = folder.rpartition("/")[0]
    return None


def _role(module):
    return next((role for role in _ROLES if module == role or module.startswith(role + "/")), None)


def _project_include(path, module, target):
    """What is wrong with including the project's own header `target` from a file of `module`, or None."""
    wanted = module_of(target)
    if wanted is None:
        return f"includes {target}, which is in no module of the architecture"
    if wanted == module or MODULES[module].kind == "tests" and module != "tests/simulation":
        return None
    mine, theirs = _role(module), _role(wanted)
    if mine and theirs and mine != theirs:
        return f"roles never include each other: {module} includes {target}"
    kind = MODULES[module].kind
    if module == "tests/simulation":
        return None if MODULES[wanted].kind in ("pure", "data") else f"the simulation includes {target}, which is not pure"
    if MODULES[wanted].kind == "root":
        return f"nobody includes a program's own files: {target}"
    if kind == "root":
        return None
    if wanted not in MODULES[module].may_include and (module, target) not in _EXTRA_HEADERS:
        return f"{module} must not include {wanted} ({target})"
    return None


def _pure_include(path, module, target):
    if target in _IMPURE_HEADERS or target.startswith(_IMPURE_HEADER_PREFIXES):
        return f"pure module {module} includes <{target}>"
    if path.endswith(".hpp") and target.startswith(_HEAVY_HEADER_PREFIXES) and target not in _LIGHT_HEADERS:
        return f"pure header includes <{target}>"
    return None


def _check_file(source, uses):
    path, module = source.path, module_of(source.path)
    if module is None:
        yield Problem(path, 1, "is in no module of the architecture")
        return
    text = strip_comments(source.text)
    pure = MODULES[module].kind == "pure" and not is_test(path)
    for match in _INCLUDE.finditer(text):
        target, line = match.group(2), line_of(text, match.start())
        own = match.group(1) == '"'
        complaint = None
        if target.endswith(".pb.h"):
            if not _PROTO_CODEC.search(path) and not is_test(path) and MODULES[module].kind != "tests":
                complaint = f"includes {target}; only a codec's .cpp may"
            uses.setdefault(".pb.h", {})[path] = line
        elif own:
            complaint = _project_include(path, module, target)
        if complaint is None and pure:
            complaint = _pure_include(path, module, target)
        for prefix, _ in _ONE_FILE_ONLY:
            if target.startswith(prefix) and not is_test(path):
                uses.setdefault(prefix, {})[path] = line
        if complaint:
            yield Problem(path, line, complaint)
    if pure:
        for match in _IMPURE_CALLS.finditer(text):
            yield Problem(path, line_of(text, match.start()), f"pure module {module} uses '{match.group().strip()}'")


def _reached(path, includes):
    """All project headers that `path` includes, and those that they include."""
    found, left = set(), [path]
    while left:
        fresh = includes.get(left.pop(), set()) - found
        found |= fresh
        left += fresh
    return found


def _limits_by_luck(sources):
    """Files that name limits without the header: where several are compiled as one they have it from a neighbour, alone they fail."""
    texts = {source.path: strip_comments(source.text) for source in sources}
    includes = {path: {target for _, target in _INCLUDE.findall(text)} for path, text in texts.items()}
    for path, text in texts.items():
        used = _LIMIT.search(text)
        if used and path != _LIMITS and _LIMITS not in _reached(path, includes):
            yield Problem(path, line_of(text, used.start()), f"names limits without {_LIMITS}")


def check(root):
    uses = {}
    sources = list(product_files(root))
    yield from _limits_by_luck(sources)
    for source in sources:
        yield from _check_file(source, uses)
    for prefix, name in (*_ONE_FILE_ONLY, (".pb.h", "generated protobuf code")):
        files = sorted(path for path in uses.get(prefix, {}) if not is_test(path) and not path.startswith("tests/"))
        for path in files[1:]:
            # One codec may be several files side by side.
            if prefix == ".pb.h" and path.rpartition("/")[0] == files[0].rpartition("/")[0]:
                continue
            yield Problem(path, uses[prefix][path], f"{name} belongs in one file of the product, and is in {files[0]} too")
