"""From results to protobuf."""
