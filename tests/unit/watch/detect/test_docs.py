"""Each built-in detector has its page, and no page is about one that does not exist."""

from pathlib import Path
from typing import get_args

from hinoban.watch.detect import BY_EVENT
from hinoban.watch.model import Detector


def test_each_detector_has_its_page() -> None:
    pages = {page.stem for page in (Path(__file__).parents[4] / "docs" / "detectors").glob("*.md")}
    assert pages == set(get_args(Detector))
    assert pages > BY_EVENT.keys()
