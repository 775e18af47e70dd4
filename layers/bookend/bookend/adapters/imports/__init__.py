"""Files of other systems: CSV and JSON lines."""
