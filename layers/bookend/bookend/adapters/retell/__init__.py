"""Retell: signed envelopes in, replies out."""
