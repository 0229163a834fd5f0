"""The gRPC API: protobuf in, protobuf out."""
