"""A stop reason or a refused launch -> cause, next step, may it be retried. A table kept as data (`reasons/*.toml`)."""

from hinoban.watch.explain.launch import explain_launch_error, explain_launch_failure
from hinoban.watch.explain.service import explain_action, explain_deployment, explain_finding
from hinoban.watch.explain.stop import explain_stop

__all__ = ["explain_action", "explain_deployment", "explain_finding", "explain_launch_error", "explain_launch_failure", "explain_stop"]
