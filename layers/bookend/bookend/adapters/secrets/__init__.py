"""The secret store: keys that are never in the environment."""
