"""The service. Importing it sets up the process: telemetry of libraries is disabled, and `python -m` does not import
modules from the current folder.
"""

import os
import sys

# onnxruntime writes an identifier of the machine below the home folder, and can report its use to an address. It reads
# this variable when it is imported. No setting turns that on again, because scores are confidential.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
if (_runtime := sys.modules.get("onnxruntime")) is not None:
    _runtime.disable_telemetry_events()

# `python -m` puts the current folder first on the path, so a file there called onnx.py or redis.py would be run. While
# it imports the package, the first argument is still "-m". In a checkout's own folder, the package itself is imported
# from the current folder, which therefore stays on the path.
if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    _current = os.path.realpath(sys.path[0] or os.curdir)
    if _current != os.path.dirname(os.path.dirname(os.path.realpath(__file__))):
        del sys.path[0]
