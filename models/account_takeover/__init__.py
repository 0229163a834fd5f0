"""The demo's model: a simulated bank whose accounts are taken over, and a GRU trained to catch it."""

import os

# As in the service: otherwise onnxruntime sends telemetry.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
