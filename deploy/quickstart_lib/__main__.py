import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from quickstart_lib.app import main  # noqa: E402  (the path comes first)

sys.exit(main(sys.argv[1:]))
