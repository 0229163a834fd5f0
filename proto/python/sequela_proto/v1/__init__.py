"""Generated from proto/sequela: never edited."""
