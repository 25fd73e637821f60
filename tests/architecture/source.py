"""Reading the tree, for all rules."""

import re
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

PRODUCT_FOLDERS = ("proto", "shoset", "tenants", "cluster", "connector", "aggregator", "deploy/meshctl",
                   "tests/simulation", "tests/fuzz", "tests/bench", "tests/soak")
CPP = (".cpp", ".hpp", ".c", ".h")
_SKIPPED = {"build", ".git", "__pycache__"}


@dataclass(frozen=True)
class Module:
    kind: str              # pure, shell, root (a program's own files), data, tests
    may_include: tuple | None  # None: anything


@dataclass(frozen=True)
class Problem:
    path: str
    line: int
    what: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.what}"


@dataclass(frozen=True)
class Source:
    path: str  # relative to the root, with '/'
    text: str


@lru_cache(maxsize=4)
def all_files(root):
    """Every file that is, or would be, part of the project: relative paths."""
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            capture_output=True, text=True)
    if listed.returncode == 0:
        names = [name for name in listed.stdout.split("\0") if name]
    else:
        names = [str(path.relative_to(root)) for path in Path(root).rglob("*") if path.is_file()]
    return tuple(sorted(name for name in set(names)
                        if not _SKIPPED & set(Path(name).parts) and (Path(root) / name).is_file()))


@lru_cache(maxsize=8192)
def read(root, name):
    return (Path(root) / name).read_text(errors="replace")


def product_files(root):
    for name in all_files(root):
        if name.endswith(CPP) and name.startswith(tuple(folder + "/" for folder in PRODUCT_FOLDERS)):
            yield Source(name, read(root, name))


def is_test(path):
    return any(part in path for part in ("/tests/", "/bench/", "/fuzz/")) or path.endswith("_test.cpp")


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


_TOKENS = re.compile(r'R"(?P<tag>[^()\\ \n]{0,16})\(.*?\)(?P=tag)"|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)+\''
                     r"|//[^\n]*|/\*.*?\*/", re.S)


def _blank(match, keep_strings):
    token = match.group()
    if token.startswith("/") or not keep_strings:
        return re.sub(r"[^\n]", " ", token)
    return token


def strip_comments(text):
    """The same text with comments blanked and strings other than those of #include lines emptied; lines stay."""
    def replace(match):
        before = text[text.rfind("\n", 0, match.start()) + 1:match.start()]
        return _blank(match, bool(re.match(r"\s*#\s*include\s*$", before)))
    return _TOKENS.sub(replace, text)
