"""The rules of definitions, without state: what may be registered and what AWS makes of it. The engine and the linter both use them."""
