"""The kinds name detectors that exist, and each detector is found by somebody."""

from typing import get_args

from hinoban.watch.detect.memory import MEMORIES
from hinoban.watch.detect.order import OF_TASKS
from hinoban.watch.kinds import ABOUT_NO_RUN, CUT_OFF, NOT_STARTED, OF_SERVICES, OF_THE_WATCH
from hinoban.watch.model import Detector


def test_kinds_name_detectors_that_exist() -> None:
    assert set(get_args(Detector)) >= NOT_STARTED | CUT_OFF | OF_SERVICES | OF_THE_WATCH | ABOUT_NO_RUN


def test_a_run_is_not_at_once_lost_and_no_matter_of_a_run() -> None:
    assert (NOT_STARTED | CUT_OFF).isdisjoint(ABOUT_NO_RUN)
    assert OF_TASKS.keys() >= NOT_STARTED | CUT_OFF
    assert MEMORIES.keys() <= ABOUT_NO_RUN
