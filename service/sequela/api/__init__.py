"""The door: the only executors that know gRPC and protobuf."""
