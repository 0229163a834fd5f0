"""Writes which files the packages of a server come from, and runs the server, in the same process.

    python -P launch.py packages.json supervised_server.py [arguments of the server]

It is run as a program, not imported, since the packages are those that PYTHONPATH names.
"""

import json
import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    import sequela
    import sequela_proto

    answer, server = Path(sys.argv.pop(1)), sys.argv.pop(1)
    answer.write_text(json.dumps({each.__name__: each.__file__ for each in (sequela, sequela_proto)}))
    runpy.run_path(server, run_name="__main__")
