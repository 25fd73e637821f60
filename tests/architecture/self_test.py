"""Each rule, shown to fail on a planted violation and to pass on its honest neighbour."""

import subprocess
import tempfile
import unittest
from pathlib import Path

import include_rules
import source
import symbol_rules
import tidy_rules
import unit_rules

HONEST = "#pragma once\n\nnamespace mesh {\nint answer();\n}\n"


class Planted(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def plant(self, name, text=HONEST, mode=0o644):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        readme = path.parent / "README.md"
        if not readme.exists():
            readme.write_text("x\n")
        return path

    def problems(self, rule):
        source.all_files.cache_clear()
        source.read.cache_clear()
        return [str(problem) for problem in rule.check(self.root)]

    def assertFinds(self, rule, where, what):
        found = self.problems(rule)
        self.assertTrue(any(problem.startswith(where) and what in problem for problem in found), found)

    def assertClean(self, rule):
        self.assertEqual(self.problems(rule), [])


class IncludeRules(Planted):
    def include(self, name, target, more=""):
        self.plant(name, f"#pragma once\n#include {target}\nnamespace mesh {{}}\n{more}")

    def test_allowed_includes_pass(self):
        self.include("shoset/core/a.hpp", '"shoset/base/b.hpp"')
        self.include("connector/redfish/a.hpp", '"connector/core/b.hpp"')
        self.include("connector/main.cpp", '"shoset/zmq/b.hpp"')
        self.include("shoset/zmq/a.cpp", "<thread>")
        self.assertClean(include_rules)

    def test_commented_and_quoted_violations_pass(self):
        self.plant("shoset/base/a.cpp", '// #include <thread>\n/* std::thread */\nconst char* s = "getenv(";\n')
        self.assertClean(include_rules)

    def test_each_forbidden_include_is_named_with_its_line(self):
        for name, target, what in (
                ("shoset/base/a.hpp", '"shoset/core/b.hpp"', "must not include"),
                ("shoset/core/a.hpp", '"tenants/b.hpp"', "must not include"),
                ("shoset/zmq/a.hpp", '"tenants/b.hpp"', "must not include"),
                ("connector/core/a.hpp", '"aggregator/core/b.hpp"', "roles never"),
                ("connector/main.cpp", '"aggregator/http/b.hpp"', "roles never"),
                ("aggregator/core/a.hpp", '"aggregator/http/b.hpp"', "must not include"),
                ("connector/redfish/a.hpp", '"connector/config.hpp"', "program's own"),
                ("tests/simulation/a.cpp", '"shoset/zmq/b.hpp"', "not pure"),
                ("shoset/base/a.cpp", '"elsewhere/b.hpp"', "no module"),
                ("shoset/core/a.cpp", "<thread>", "pure module"),
                ("tenants/a.cpp", "<sys/socket.h>", "pure module"),
                ("aggregator/core/a.hpp", "<nlohmann/json.hpp>", "pure header"),
                ("shoset/core/a.cpp", '"proto/mesh.pb.h"', "codec")):
            with self.subTest(name=name, target=target):
                self.setUp()
                self.include(name, target)
                self.assertFinds(include_rules, f"{name}:2:", what)

    def test_limits_without_their_header_are_found(self):
        self.plant("shoset/base/limits.hpp")
        self.plant("shoset/core/b.hpp", '#include "shoset/base/limits.hpp"\n')
        self.plant("shoset/core/a.cpp", '#include "shoset/core/b.hpp"\nint a = limits::most;\n')
        self.assertClean(include_rules)
        self.plant("shoset/core/a.cpp", "// limits::most\nint a = limits::most;\n")
        self.assertFinds(include_rules, "shoset/core/a.cpp:2:", "names limits without")

    def test_a_file_outside_every_module_is_found(self):
        self.plant("shoset/elsewhere/a.hpp")
        self.assertFinds(include_rules, "shoset/elsewhere/a.hpp:1:", "no module")

    def test_each_impure_call_is_found(self):
        for call in ("auto t = std::chrono::steady_clock::now();", "std::random_device d;", 'getenv("A");', 'fopen("a", "r");',
                     "sleep(1);", "auto t = time(nullptr);", "auto t = std::time(nullptr);", "std::mutex m;", "std::cout << 1;",
                     "::socket(1, 2, 3);"):
            with self.subTest(call=call):
                self.setUp()
                self.plant("shoset/core/a.cpp", f"namespace mesh {{\n{call}\n}}\n")
                self.assertFinds(include_rules, "shoset/core/a.cpp:2:", "pure module")

    def test_members_that_only_sound_impure_pass(self):
        self.plant("shoset/core/a.cpp", "auto a = message.time(); auto b = p->time (); auto c = fake::time(); int runtime(int);\n")
        self.assertClean(include_rules)

    def test_beast_in_two_files_is_found(self):
        self.include("shoset/http/a.cpp", "<boost/beast/http.hpp>")
        self.assertClean(include_rules)
        self.include("shoset/http/b.cpp", "<boost/beast/core.hpp>")
        self.assertFinds(include_rules, "shoset/http/b.cpp:2:", "one file")

    def test_protobuf_in_two_codecs_is_found(self):
        self.include("shoset/core/codec.cpp", '"proto/mesh.pb.h"')
        self.include("shoset/core/codec_commands.cpp", '"proto/mesh.pb.h"')
        self.assertClean(include_rules)
        self.include("cluster/core/codec.cpp", '"proto/mesh.pb.h"')
        self.assertFinds(include_rules, "shoset/core/codec.cpp:2:", "one file")


class SymbolRules(Planted):
    def archive(self, body):
        self.plant("shoset/base/a.cpp", body)
        folder = self.root / "build/shoset/base"
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["g++", "-std=c++20", "-c", self.root / "shoset/base/a.cpp", "-o", folder / "a.o"], check=True)
        subprocess.run(["ar", "rcs", folder / "libshoset_base.a", folder / "a.o"], check=True)
        return [str(problem) for problem in symbol_rules.check(self.root, self.root / "build")]

    def test_pure_code_passes(self):
        self.assertEqual(self.archive("#include <string>\nstd::string f(int n) { return std::to_string(n); }\n"), [])

    def test_clock_file_socket_and_thread_are_found(self):
        found = self.archive(
            "#include <chrono>\n#include <cstdio>\n#include <cstdlib>\n#include <random>\n#include <sys/socket.h>\n"
            "#include <thread>\n"
            "long a() { return std::chrono::steady_clock::now().time_since_epoch().count(); }\n"
            "void* b() { return fopen(\"x\", \"r\"); }\nint c() { return socket(1, 2, 3); }\n"
            "void d() { std::thread([] {}).join(); }\nunsigned e() { return std::random_device()(); }\n"
            "const char* f() { return getenv(\"x\"); }\n")
        for symbol in ("steady_clock::now", "fopen", "'socket'", "std::thread", "random_device", "getenv"):
            self.assertTrue(any(symbol in problem for problem in found), (symbol, found))

    def test_an_archive_that_is_missing_is_found(self):
        self.plant("shoset/base/a.cpp", "int a;\n")
        found = [str(problem) for problem in symbol_rules.check(self.root, self.root / "build")]
        self.assertIn("has not been built", found[0])


class TidyRules(Planted):
    def test_an_honest_tree_passes(self):
        self.plant("shoset/base/a.hpp")
        self.plant("shoset/base/a.cpp", "namespace mesh {\nint answer()\n{\n    return 42;\n}\n}\n")
        self.plant("shoset/base/tests/a_test.cpp", "namespace mesh {}\n")
        self.plant("shoset/base/CMakeLists.txt", "mesh_test(x SOURCES tests/a_test.cpp)\n")
        self.plant("deploy/tool", "#!/usr/bin/env bash\n", 0o755)
        self.assertClean(tidy_rules)

    def test_sizes(self):
        self.plant("shoset/base/long.cpp", "namespace mesh {\n" + "int a;\n" * 500 + "}\n")
        self.plant("shoset/base/big.cpp", "namespace mesh {\nint f(int a) const noexcept\n{\n" + "    g();\n" * 70 + "}\n}\n")
        self.plant("connector/main.cpp", "int main() {}\n" + "\n" * 120)
        self.plant("tests/x/big.py", "def f():\n" + "    g()\n" * 71)
        self.assertFinds(tidy_rules, "shoset/base/long.cpp", "more than 500")
        self.assertFinds(tidy_rules, "shoset/base/big.cpp:3", "function of 72")
        self.assertFinds(tidy_rules, "connector/main.cpp", "more than 120")
        self.assertFinds(tidy_rules, "tests/x/big.py:1", "function of 72")

    def test_functions_of_classes_and_lambdas_are_measured_alone(self):
        body = "    int f()\n    {\n" + "        g([] { return 1; });\n" * 60 + "    }\n"
        self.plant("shoset/base/a.cpp", "namespace mesh {\nclass A {\n" + body * 3 + "};\n}\n")
        self.assertClean(tidy_rules)

    def test_headers(self):
        self.plant("shoset/base/a.hpp", "namespace mesh {}\n")
        self.plant("shoset/base/b.hpp", "#pragma once\nnamespace other {}\n")
        self.assertFinds(tidy_rules, "shoset/base/a.hpp", "pragma once")
        self.assertFinds(tidy_rules, "shoset/base/b.hpp", "namespace mesh")

    def test_shared_state(self):
        self.plant("shoset/base/a.cpp", "namespace mesh {\nstatic int counter = 0;\nint f()\n{\n    static int calls = 0;\n"
                                        "    return ++calls;\n}\n}\n")
        self.plant("shoset/base/b.cpp", "namespace mesh {\nstatic const int limit = 3;\nstatic int f(int);\n"
                                        "int g()\n{\n    static constexpr int n = 1;\n    return n;\n}\n}\n")
        self.assertFinds(tidy_rules, "shoset/base/a.cpp:2", "counter")
        self.assertFinds(tidy_rules, "shoset/base/a.cpp:5", "calls")
        self.assertFalse([problem for problem in self.problems(tidy_rules) if problem.startswith("shoset/base/b.cpp")])

    def test_manners_of_tests(self):
        self.plant("shoset/base/CMakeLists.txt", "tests/a_test.cpp\n")
        self.plant("shoset/base/tests/a_test.cpp", "namespace mesh {\nTEST(A, DISABLED_B) {}\nvoid f() { GTEST_SKIP(); }\n"
                                                   "void g() { std::this_thread::sleep_for(1s); }\n}\n")
        self.plant("shoset/base/tests/b_test.cpp", "namespace mesh {}\n")
        self.plant("tests/x/a.py", "import time\ntime.sleep(1)\n")
        self.assertFinds(tidy_rules, "shoset/base/tests/a_test.cpp:2", "switched off")
        self.assertFinds(tidy_rules, "shoset/base/tests/a_test.cpp:3", "without a reason")
        self.assertFinds(tidy_rules, "shoset/base/tests/a_test.cpp:4", "sleeps")
        self.assertFinds(tidy_rules, "shoset/base/tests/b_test.cpp", "no CMakeLists")
        self.assertFinds(tidy_rules, "tests/x/a.py:2", "sleeps")

    def test_scripts_readmes_and_paths(self):
        self.plant("deploy/a.py", "#!/usr/bin/env python3\n", 0o755)
        self.plant("deploy/b", "#!/usr/bin/env bash\n", 0o644)
        self.plant("deploy/c.md", "see /wo" "rk/x\n")
        (self.root / "deploy/README.md").unlink()
        self.assertFinds(tidy_rules, "deploy/a.py:1", "starts with")
        self.assertFinds(tidy_rules, "deploy/b:1", "cannot be executed")
        self.assertFinds(tidy_rules, "deploy/c.md:1", "path of one machine")
        self.assertFinds(tidy_rules, "deploy:0", "no README.md")


class UnitRules(Planted):
    def test_a_unit_that_is_open_and_misspelt_is_found(self):
        unit = self.plant("deploy/systemd/a.service", "[Service]\nExecStart=/usr/bin/a\nNoSuchSetting=1\n")
        found = [str(problem) for problem in unit_rules.check_unit(unit)]
        for what in ("Type=None", "WatchdogSec", "NoSuchSetting", "exposure 9"):
            self.assertTrue(any(what in problem for problem in found), (what, found))

    def test_a_unit_that_gives_up_is_found(self):
        unit = self.plant("deploy/systemd/a.service", "[Service]\nExecStart=/usr/bin/a\nRestart=on-failure\nRestartSec=1s\n")
        found = [str(problem) for problem in unit_rules.check_unit(unit)]
        for what in ("StartLimitIntervalSec=None, not '0'", "RestartSec=1s, not '2s'"):
            self.assertTrue(any(what in problem for problem in found), (what, found))
        self.assertFalse(any("Restart=" in problem for problem in found), found)

    def test_a_target_that_outlives_its_daemon_or_may_not_be_started_is_found(self):
        service = self.plant("deploy/systemd/mesh-aggregatord.service", "[Service]\nExecStart=/usr/bin/a\nUser=mesh\n")
        target = self.plant("deploy/systemd/a.target", "[Unit]\nAfter=mesh-aggregatord.service\nNoSuchSetting=1\n")
        rules = self.plant("deploy/systemd/a.rules", 'action.lookup("unit") === "b.target" && subject.user === "root"\n')
        found = [str(problem) for problem in unit_rules.check_target(target, service, rules)]
        for what in ("BindsTo=None", "NoSuchSetting", 'lookup("unit") === "a.target"', 'subject.user === "mesh"'):
            self.assertTrue(any(what in problem for problem in found), (what, found))


if __name__ == "__main__":
    unittest.main()
