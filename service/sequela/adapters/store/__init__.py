"""Where explanations, backgrounds and uploaded models are kept: in process, or in Redis."""
