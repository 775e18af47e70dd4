"""Bookend: the booking backend behind a voice agent. See docs/architecture.md for the rooms of this house."""
