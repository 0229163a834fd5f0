"""Benchmarks of Sequela, and of other explainers beside it."""

import os

# As in the service, and also for the processes of other explainers: otherwise onnxruntime sends telemetry.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
