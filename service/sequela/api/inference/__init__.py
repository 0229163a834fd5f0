"""Inference protocols' way to explain: what the Open Inference Protocol and KServe's two REST forms have in common."""
