"""Containers through the Docker API: driver (the verbs), body and report (PURE, data out and in), logs, pull, network, client."""
