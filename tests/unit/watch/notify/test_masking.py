"""What leaves with a log's tail: no secret, no address, and still lines that say what went wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hinoban.watch.notify.masking import LINES_MOST, MASK, log_tail, masked

TOKEN = "q7Zp9XvL2mNc4RtY8wKs"


@pytest.mark.parametrize(
    "line, shown",
    [
        ("password=hunter2", "password=***"),
        ("DB_PASSWORD: hunter2, user: app", "DB_PASSWORD: ***, user: app"),
        ('{"apiKey": "abc def", "n": 1}', '{"apiKey": ***, "n": 1}'),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCY", "AWS_SECRET_ACCESS_KEY=***"),
        ("key AKIAIOSFODNN7EXAMPLE refused", "key *** refused"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer ***"),
        ("connect postgres://app:hunter2@db:5432/prod", "connect postgres://***@db:5432/prod"),
        ("GET https://api.test/x?token=abcdef&page=2", "GET https://api.test/x?token=***&page=2"),
        ("mail to taro.yamada@example.co.jp bounced", "mail to ***@example.co.jp bounced"),
        ("xoxb-12345678-abcdefgh", "***"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "jwt ***"),
        (f"cookie {TOKEN}{TOKEN}", "cookie ***"),
        ("wJalrXUtn1EMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "***"),
    ],
)
def test_what_looks_like_a_secret_is_masked(line: str, shown: str) -> None:
    assert masked(line) == shown


@pytest.mark.parametrize(
    "line",
    [
        "java.lang.OutOfMemoryError: Java heap space at com.example.billing.InvoiceWriterFactoryImplementation.write",
        "KeyError: 'customer_identifier_of_the_parent_account'",
        "/var/lib/application/releases/20261126/current/lib/python/site.py line 12",
        "arn:aws:ecs:ap-northeast-1:123456789012:task/batch/7c1e90ab7c1e90ab7c1e90ab7c1e90ab stopped",
        "request 123e4567-e89b-12d3-a456-426614174000 took 12.5 s",
        "3 of 120 invoices failed; wrote 117 rows in 6 m 12 s",
        "=========================================",
    ],
)
def test_a_plain_line_stays_as_it_is(line: str) -> None:
    assert masked(line) == line


@given(
    st.sampled_from(["password", "DB_PASSWORD", "client_secret", "access-token", "apiKey", "AWS_SESSION_TOKEN", "private_key"]),
    st.sampled_from(["=", ": ", '": "', " = "]),
    st.text(st.characters(categories=["Lu", "Ll", "Nd"], max_codepoint=0x7E), min_size=4, max_size=60),
    st.text(st.characters(categories=["Lu", "Ll", "Nd", "Zs"], max_codepoint=0x7E), max_size=20),
)
def test_the_value_of_a_name_that_says_secret_never_leaves(name: str, equals: str, value: str, around: str) -> None:
    shown = masked(f"{around} {name}{equals}S#{value} {around}")
    assert f"S#{value}" not in shown
    assert name in shown


@given(st.text(max_size=300))
def test_masking_twice_changes_nothing_more(line: str) -> None:
    assert masked(masked(line)) == masked(line)


def test_the_modes() -> None:
    lines = ["", *(f"line {number}" for number in range(30)), "password=hunter2\n", "\x1b[2Jgone"]
    assert log_tail(lines, "off") == ()
    assert log_tail(lines, "masked")[-2:] == (f"password={MASK}", "\\x1b[2Jgone")
    assert log_tail(lines, "full")[-2] == "password=hunter2"
    assert len(log_tail(lines, "full")) == LINES_MOST


def test_a_secret_at_the_cut_is_masked_before_it_is_cut() -> None:
    [line] = log_tail(["x" * 10 + " " * 280 + f"token={TOKEN}{TOKEN}"], "masked")
    assert TOKEN[:4] not in line
    assert len(line) <= 300
