"""Cal.com API v2: its wire format, its errors, its client."""
