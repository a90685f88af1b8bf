"""The event detectors in order of precedence: what is more exact is asked first, and the first that finds something has found all of it."""

from collections.abc import Callable, Mapping

from hinoban.watch.detect.cannot_get_secret import cannot_get_secret
from hinoban.watch.detect.cannot_pull import cannot_pull
from hinoban.watch.detect.deployment_failed import deployment_failed
from hinoban.watch.detect.did_not_start import did_not_start
from hinoban.watch.detect.failed_exit import failed_exit
from hinoban.watch.detect.maintenance import maintenance
from hinoban.watch.detect.out_of_memory import out_of_memory
from hinoban.watch.detect.partly_started import partly_started
from hinoban.watch.detect.rolled_back import rolled_back
from hinoban.watch.detect.service_impaired import service_impaired
from hinoban.watch.detect.spot_interrupted import spot_interrupted
from hinoban.watch.detect.throttled import throttled
from hinoban.watch.model import Detector, Finding, Observation
from hinoban.watch.service_model import DeploymentChange, ServiceAction, ServiceNews

OF_TASKS: Mapping[Detector, Callable[[Observation], Finding | None]] = {
    "cannot_pull": cannot_pull,
    "cannot_get_secret": cannot_get_secret,
    "throttled": throttled,
    "partly_started": partly_started,
    "did_not_start": did_not_start,
    "spot_interrupted": spot_interrupted,
    "maintenance": maintenance,
    "out_of_memory": out_of_memory,
    "failed_exit": failed_exit,
}
"""For task events and RunTask's records. Between them they find something of an ended task exactly when `judge.is_failure` says so."""


def service_finding(news: ServiceNews) -> Finding | None:
    """What an event of a service shows to be wrong, by the detectors without a memory; readings are for those with one."""
    if isinstance(news, ServiceAction):
        return deployment_failed(news) or throttled(news) or service_impaired(news)
    if isinstance(news, DeploymentChange):
        return deployment_failed(news) or rolled_back(news)
    return None
