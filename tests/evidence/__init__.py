"""What was run to break the promises, how often, and what was found: runs that write numbers, and their page."""
