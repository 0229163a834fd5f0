"""The backend that replicas share, over Redis or Valkey."""
