"""The values of features: as the model takes them, as people read them, and how they rank among other values."""
