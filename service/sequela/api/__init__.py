"""The door: the only rooms that know gRPC and protobuf."""
