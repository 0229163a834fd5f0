"""A churn model for real customers: monthly purchases at CDNOW, and a GRU with attention at several epochs."""

import os

# As in the service: otherwise onnxruntime sends telemetry.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
