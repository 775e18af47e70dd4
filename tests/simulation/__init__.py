"""One salon, many actors, one seed: whatever may happen at once happens, in every order, and the same again."""
