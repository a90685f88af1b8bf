"""Every reason of facts/ecs.md §§2-3 has its entry, every entry has its words, and no entry is dead."""

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from hinoban.watch.config import Lang
from hinoban.watch.explain.catalogue import Entry, entries, find
from hinoban.watch.explain.filling import fill

SAMPLES = tomllib.loads((Path(__file__).parent / "samples.toml").read_text(encoding="utf-8"))
CASES = [(place, code, text) for place, codes in SAMPLES.items() for code, texts in codes.items() for text in texts]

COMMANDS = {"up", "env", "run", "ps", "why", "logs", "incidents", "stop", "demo", "retry", "history"}
VERBS = {
    "Add",
    "Allow",
    "Ask",
    "Build",
    "Check",
    "Clean",
    "Compare",
    "Correct",
    "Count",
    "Create",
    "Drop",
    "Find",
    "Free",
    "Give",
    "Launch",
    "Leave",
    "List",
    "Look",
    "Name",
    "Nothing",
    "Push",
    "Raise",
    "Read",
    "Run",
    "Set",
    "Stop",
    "Take",
    "Wait",
}

PLACEHOLDER = re.compile(r"\{\w+\}")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+|\b[a-z0-9-]+:[A-Z]\w+|\bexit \d+")
"""What has to be typed or is named by AWS as it stands: options, rights, exit codes."""
COMMAND = re.compile(r": ((?:aws|hinoban) .*?)(?=   |$)")
KANA = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


def found(place: str, text: str) -> Entry | None:
    error_code = None
    if place == "launch_error":
        error_code, _, text = text.partition(": ")
    match = find(place, text, error_code=error_code) or find(place, text, error_code=error_code, vague=True)  # type: ignore[arg-type]  # a Place
    return match.entry if match else None


@pytest.mark.parametrize(("place", "code", "text"), CASES)
def test_a_sample_of_each_row_of_the_facts_finds_its_entry(place: str, code: str, text: str) -> None:
    entry = found(place, text)
    assert entry is not None and entry.code == code


def test_no_entry_is_out_of_reach() -> None:
    assert {entry.code for entry in entries()} - {code for _, code, _ in CASES} == set()


def test_no_code_is_used_twice() -> None:
    codes = [entry.code for entry in entries()]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.code)
def test_an_entry_has_a_cause_a_source_and_a_next_step_that_starts_with_a_verb(entry: Entry) -> None:
    assert entry.en.cause.endswith(".") and entry.source
    assert entry.en.next.split()[0].rstrip(".,;:") in VERBS


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.code)
def test_a_next_step_names_only_commands_that_exist(entry: Entry) -> None:
    assert set(re.findall(r"\bhinoban (\w+)", entry.en.next)) <= COMMANDS


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.code)
def test_texts_read_well_when_nothing_is_known(entry: Entry) -> None:
    for lang in get_args(Lang):
        text = fill(entry.text(lang).cause, {}, lang) + fill(entry.text(lang).next, {}, lang)
        assert not re.search(r"\{\w+\}|None", text)


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.code)
def test_the_japanese_text_names_what_the_english_one_names(entry: Entry) -> None:
    for english, japanese in ((entry.en.cause, entry.ja.cause), (entry.en.next, entry.ja.next)):
        assert set(PLACEHOLDER.findall(japanese)) == set(PLACEHOLDER.findall(english))
        assert set(OPTION.findall(japanese)) == set(OPTION.findall(english))


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.code)
def test_the_japanese_text_is_japanese_and_its_commands_are_the_same(entry: Entry) -> None:
    assert KANA.search(entry.ja.cause) and KANA.search(entry.ja.next)
    assert entry.ja.cause.endswith("。")
    assert COMMAND.findall(entry.ja.next) == COMMAND.findall(entry.en.next)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ResourceInitializationError: failed to validate logger args: : signal: killed", "logs_unreachable"),
        ("CannotPullContainerError: dial tcp: i/o timeout: not found", "image_missing"),
        ("resourceinitializationerror: FAILED TO INITIALIZE LOGGING DRIVER: x", "logging_driver"),
    ],
)
def test_the_more_exact_entry_goes_before_the_network_marker(text: str, code: str) -> None:
    entry = found("stop_reason", text)
    assert entry is not None and entry.code == code
