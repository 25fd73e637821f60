"""The command: which sections run, and what is shown of them."""

import argparse
import json
import os
import signal
import sys
import traceback
from pathlib import Path

import bulk
import cluster_failover
import crowd
import events
import failover
import handover
import handshakes
import idle
import memory
import micro
import noisy
import paths
import routing
from figures import Figures
from lab import CHECKOUT, Lab, Length, Problem

SECTIONS = {"micro": micro.run, "paths": paths.run, "memory": memory.run, "bulk": bulk.run, "failover": failover.run,
            "takeover": cluster_failover.run, "handover": handover.run, "idle": idle.run, "handshakes": handshakes.run, "crowd": crowd.run,
            "events": events.run, "routing": routing.run, "noisy": noisy.run}


def _programs(given):
    """Folders searched for programs, first hit wins."""
    build = Path(os.environ.get("BMCMESH_BUILD", CHECKOUT / "build"))
    own = [Path(given)] if given else [Path(os.environ["MESH_BIN"])] if "MESH_BIN" in os.environ else []
    return own + [build / "release/bin", build / "dev/bin"]


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="short rounds: a look, not a measurement")
    parser.add_argument("--events", type=int, metavar="N", help="how many the section `events` emits; default 1,000,000, quick 20,000")
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes all figures there")
    parser.add_argument("--bin", metavar="DIR", help="programs; default $MESH_BIN, then build/release/bin, build/dev/bin")
    options = parser.parse_args()
    unknown = set(options.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))  # through the sections' clean-up
    length = Length.quick() if options.quick else Length()
    length.events = options.events or length.events
    figures, broken = Figures(), []
    for name in options.sections or SECTIONS:
        print(f"# {name}", file=sys.stderr, flush=True)
        try:
            with Lab(_programs(options.bin), length) as lab:
                SECTIONS[name](lab, figures)
        except Problem as problem:
            broken.append(f"{name}: {problem}")
        except Exception:  # one section that fails must not cost the others their figures
            broken.append(f"{name}: {traceback.format_exc()}")
    print(figures.table())
    for sentence in broken:
        print(f"NOT MEASURED  {sentence}")
    if options.json:
        options.json.write_text(json.dumps({"quick": options.quick, "not_measured": broken, **figures.document()}, indent=2))
    return 1 if broken or figures.missed() else 0
