"""The table: keys, items, transactions, and the ports served from it."""
