"""Nothing that a task says or is called can command the terminal on which it is told."""

from hypothesis import given
from hypothesis import strategies as st

from hinoban.base.text import one_line


def test_line_breaks_become_spaces_and_words_stay() -> None:
    assert one_line("first\nsecond\r\nthird") == "first second third"
    assert one_line("already one line, 日本語\tand a tab") == "already one line, 日本語\tand a tab"


def test_what_a_terminal_would_obey_is_spelt_out() -> None:
    assert one_line("\x1b[2Jall is well\x07") == "\\x1b[2Jall is well\\x07"
    assert one_line("\x9b31m \u202egpj.exe") == "\\x9b31m \\u202egpj.exe"


@given(st.text())
def test_no_text_commands_a_terminal(text: str) -> None:
    told = one_line(text)
    assert not any((ord(one) < 0x20 and one != "\t") or 0x7F <= ord(one) <= 0x9F for one in told)
    assert len(told.splitlines()) <= 1
