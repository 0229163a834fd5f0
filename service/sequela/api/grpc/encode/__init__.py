"""From the domain to protobuf."""
