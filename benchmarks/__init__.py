"""Measurements against moto, bare Docker and bare SQLite; README.md says how to read them."""
