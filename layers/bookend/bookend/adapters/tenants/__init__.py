"""The tenant document: what a salon's engineer writes, checked."""
