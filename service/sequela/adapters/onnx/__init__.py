"""Models out of ONNX files: read, understood, checked, rewritten where they can be run from states, and run."""
