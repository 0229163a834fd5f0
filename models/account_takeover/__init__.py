"""The demo's model: a simulated bank whose accounts are taken over, and a GRU trained to catch it."""

import os

# As the service does: onnxruntime would report its use.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
