"""The JSON API under /_hinoban/v1/ that the CLI and the watch use; later the dashboard. Never imports the engine: it is handed what it serves."""
