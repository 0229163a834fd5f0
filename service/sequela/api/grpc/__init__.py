"""gRPC: `sequela.v1` and the Open Inference Protocol."""
