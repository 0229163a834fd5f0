"""The values of features: as the model takes them, as people read them, and where they stand among others."""
