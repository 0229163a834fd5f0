"""What Sequela is measured by, and beside what."""
