"""The service. Importing it sets up the process: telemetry of libraries is disabled, and `python -m` does not import
modules from the current folder.
"""

import os
import sys

# onnxruntime writes an identifier of the machine below the home folder and has an address to report its use to. It
# asks for this variable when it is imported. No setting turns that on again: who is scored here is nobody's business.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
if (_runtime := sys.modules.get("onnxruntime")) is not None:
    _runtime.disable_telemetry_events()

# `python -m` puts the current folder first on the path, and a file there called onnx.py or redis.py would be run. While
# it imports the package, the first argument is still "-m". From a checkout's own folder the package comes from there.
if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    _current = os.path.realpath(sys.path[0] or os.curdir)
    if _current != os.path.dirname(os.path.dirname(os.path.realpath(__file__))):
        del sys.path[0]
