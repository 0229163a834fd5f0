"""From results to messages of `sequela.v1`: for gRPC, and in their JSON form for REST."""
