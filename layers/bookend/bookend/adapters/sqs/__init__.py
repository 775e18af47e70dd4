"""The queue: jobs for work that no caller waits for."""
