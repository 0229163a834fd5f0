"""What all routes have in common: errors, JSON, security headers, static files."""
