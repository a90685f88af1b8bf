"""The only composition root: builds the engine, the watch and the HTTP server from a configuration, and runs them."""
