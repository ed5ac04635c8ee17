"""Results as a reader sees them: the JSON, the tables, and one self-contained page with the 3-D view."""
