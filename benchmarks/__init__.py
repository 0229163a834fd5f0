"""What Sequela is measured by, and beside what."""

import os

# As the service does, for the processes of other explainers too: onnxruntime would report its use.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
