"""The Open Inference Protocol, version 2: its datatypes, tensors and metadata, as protobuf messages and as JSON."""
