"""Size, order and manners of the tree."""

import re
from pathlib import Path

from source import CPP, Problem, all_files, is_test, line_of, read, strip_comments

MAX_FILE_LINES, MAX_FUNCTION_LINES, MAX_MAIN_LINES = 500, 70, 120
_SCRIPT_STARTS = ("#!/usr/bin/python3", "#!/usr/bin/env bash", "#!/bin/bash")
# Spelt in parts, so that the rule does not find itself.
_MACHINE_PATH = re.compile(r"(?<![\w./])/(?:wo" r"rk|fa" r"rm|ho" r"me)/\w")
_SLEEP = re.compile(r"\bsleep_(?:for|until)\s*\(|\bu?sleep\s*\(|\btime\.sleep\b|\basyncio\.sleep\b|^\s*sleep\s+[0-9.]", re.M)
_SIMULATOR = re.compile(r"tests/bmcsim/(?!selftest)")  # plays a slow machine, which takes time
_DISABLED = re.compile(r"\bDISABLED_\w+|@unittest\.skip\b")
_BARE_SKIP = re.compile(r"\bGTEST_SKIP\(\)\s*;|\.skipTest\(\s*\)|@unittest\.skip\(\s*\)")
_TEXT = CPP + (".py", ".sh", ".md", ".txt", ".cmake", ".yaml", ".json", ".service", ".proto", ".bash")
# A definition at namespace scope that is neither constant nor a function: state that everybody shares.
_SHARED_STATE = re.compile(r"^(?:static\s+|inline\s+|thread_local\s+)+(?!const\b|constexpr\b|constinit const\b)"
                           r"(?:[\w:<>,*& ]+?[ &*])(\w+)(?:\s*\{[^;\n]*\}|\s*=[^;\n]*)?;", re.M)
_LOCAL_STATIC = re.compile(r"^\s+static\s+(?!const\b|constexpr\b|constinit\b|_?assert)(?!.*\()(?:[\w:<>,*& ]+?[ &*])(\w+)\s*[;={]", re.M)


def functions(text):
    """(line, lines) of every function body in C++ text without comments: a '{' after ')' outside of any function."""
    depth_of_open, begin, previous = [], None, ""
    for match in re.finditer(r"[{}();]|\b(?:const|noexcept|override|final|mutable)\b|->[^{;]*(?=\{)|[^\s{}();]+", text):
        token = match.group()
        if token == "{":
            if begin is None and previous == ")":
                begin = (len(depth_of_open), line_of(text, match.start()))
            depth_of_open.append(token)
        elif token == "}" and depth_of_open:
            depth_of_open.pop()
            if begin and len(depth_of_open) == begin[0]:
                yield begin[1], line_of(text, match.start()) - begin[1] + 1
                begin = None
        if token not in ("const", "noexcept", "override", "final", "mutable") and not token.startswith("->"):
            previous = token


def _python_functions(text):
    lines = text.splitlines()
    for number, line in enumerate(lines):
        match = re.match(r"(\s*)(?:async )?def ", line)
        if match:
            end = number + 1
            while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > len(match.group(1))):
                end += 1
            yield number + 1, len("\n".join(lines[number:end]).rstrip().splitlines())


def _sizes(name, text):
    count = len(text.splitlines())
    limit = MAX_MAIN_LINES if name.endswith("/main.cpp") else MAX_FILE_LINES
    if count > limit:
        yield Problem(name, count, f"{count} lines, more than {limit}")
    bodies = _python_functions(text) if name.endswith(".py") else functions(strip_comments(text))
    for line, lines in bodies:
        if lines > MAX_FUNCTION_LINES:
            yield Problem(name, line, f"a function of {lines} lines, more than {MAX_FUNCTION_LINES}")


def _cpp(name, text):
    bare = strip_comments(text)
    if name.endswith(".hpp") and text.count("#pragma once") != 1:
        yield Problem(name, 1, "needs '#pragma once', once")
    if name.endswith(".hpp") and re.search(r"using namespace (?!std::(?:chrono_)?literals)", bare):
        yield Problem(name, 1, "'using namespace' in a header")
    only_includes = not re.search(r"^\s*[^\s#]", bare, re.M)
    exempt = name.endswith((".c", ".h")) or is_test(name) or only_includes or "int main(" in bare or "LLVMFuzzer" in bare
    if not exempt and "namespace mesh" not in bare:
        yield Problem(name, 1, "declares nothing in namespace mesh")
    if not is_test(name) and not name.startswith("tests/"):
        for pattern in (_SHARED_STATE, _LOCAL_STATIC):
            for match in pattern.finditer(bare):
                yield Problem(name, line_of(bare, match.start()), f"'{match.group(1)}' is state without an owner")


def _manners(name, text):
    in_tests = (name.startswith("tests/") or "/tests/" in name) and not _SIMULATOR.match(name)
    code = strip_comments(text) if name.endswith(CPP) else text
    if in_tests and not name.endswith((".md", "tidy_rules.py", "self_test.py")):
        for match in _SLEEP.finditer(code):
            yield Problem(name, line_of(code, match.start()), "a test that sleeps; wait for a condition with a deadline")
        for pattern, what in ((_DISABLED, "a test switched off"), (_BARE_SKIP, "a test skipped without a reason")):
            for match in pattern.finditer(code):
                yield Problem(name, line_of(code, match.start()), what)
    for match in _MACHINE_PATH.finditer(text):
        yield Problem(name, line_of(text, match.start()), f"a path of one machine: {match.group()}")


def _script(root, name, text):
    if text.startswith("#!") and not text.startswith(_SCRIPT_STARTS):
        yield Problem(name, 1, f"starts with {text.splitlines()[0]}; Debian's Python or bash")
    if text.startswith("#!") and not (Path(root) / name).stat().st_mode & 0o100:
        yield Problem(name, 1, "is a script that cannot be executed")


def _folders(names):
    with_sources = {name.rpartition("/")[0] for name in names if name.endswith(CPP + (".py",)) and "/" in name}
    for folder in sorted(with_sources):
        part_of_module = folder.endswith(("/tests", "/bench", "/fuzz")) and not folder.startswith("tests/")
        described = {f"{folder}/README.md"} | ({"tests/fuzz/README.md"} if folder.startswith("tests/fuzz/") else set())
        if not part_of_module and "/testdata" not in folder and not described & names:
            yield Problem(folder, 0, "has sources and no README.md")


def _registered_tests(root, names):
    lists = "\n".join(read(root, name) for name in names if name.endswith("CMakeLists.txt"))
    globbed = re.compile(r"GLOB\b[^)]*_test\.cpp")
    for name in names:
        if name.endswith("_test.cpp") and Path(name).name not in lists:
            own = Path(name).parent.parent / "CMakeLists.txt"
            if str(own) in names and globbed.search(read(root, str(own))):
                continue
            yield Problem(name, 1, "a test that no CMakeLists.txt names")


def check(root):
    names = all_files(root)
    for name in names:
        if not name.endswith(_TEXT) and Path(name).suffix:
            continue
        text = read(root, name)
        if name.endswith(CPP + (".py",)):
            yield from _sizes(name, text)
        if name.endswith(CPP):
            yield from _cpp(name, text)
        yield from _manners(name, text)
        yield from _script(root, name, text)
    yield from _folders(set(names))
    yield from _registered_tests(root, names)
