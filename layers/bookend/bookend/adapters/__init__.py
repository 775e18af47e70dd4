"""The outside systems, one directory each; they never import one another."""
