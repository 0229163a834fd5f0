"""Encodes results as messages of `sequela.v1`, for gRPC and in their JSON form for REST."""
