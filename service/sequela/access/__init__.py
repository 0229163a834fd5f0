"""Who calls, and which roles they have. It knows nothing of gRPC, HTTP or explanations; `api.permissions` does."""
