"""Sizes: spellings, Fargate's pairs, reservations, prices."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hinoban.aws.definitions.sizes import (
    Reservation,
    fargate_sizes,
    hourly_price,
    is_fargate_size,
    parse_cpu,
    parse_memory,
    reserved,
)

PAIRS = [(cpu, memory) for cpu, sizes in fargate_sizes().items() for memory in sizes]


@pytest.mark.parametrize(
    ("text", "units"), [("1024", 1024), ("1 vCPU", 1024), ("1 vcpu", 1024), (".25 vcpu", 256), ("0.5vCPU", 512), ("16 vCPU", 16384)]
)
def test_cpu_is_read_in_every_spelling(text: str, units: int) -> None:
    assert parse_cpu(text) == units


@pytest.mark.parametrize(("text", "mib"), [("512", 512), ("3 GB", 3072), ("3GB", 3072), (".5 gb", 512), ("512 MB", 512), ("30 gb", 30720)])
def test_memory_is_read_in_every_spelling(text: str, mib: int) -> None:
    assert parse_memory(text) == mib


@pytest.mark.parametrize("text", ["", "one", "-256", "1.5", "1 GB", ".3 vcpu", "vcpu", ". vcpu", "1e3", "٣", "٣ vcpu", "9" * 400])
def test_what_is_no_cpu_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"cpu|CPU"):
        parse_cpu(text)


@pytest.mark.parametrize("text", ["", "lots", "-512", "1.5", "1 vcpu", "0.3 mb", "gb", "1 TB", "512MiB", "9" * 400 + " GB"])
def test_what_is_no_memory_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"memory|MiB"):
        parse_memory(text)


@given(st.integers(min_value=0, max_value=10**9))
def test_normalised_sizes_read_back_as_themselves(number: int) -> None:
    assert parse_cpu(str(number)) == number
    assert parse_memory(str(number)) == number


@given(st.integers(min_value=1, max_value=800), st.sampled_from(["", " ", "  "]), st.sampled_from(["vcpu", "vCPU", "VCPU"]))
def test_quarters_of_a_vcpu_are_whole_numbers_of_units(quarters: int, gap: str, unit: str) -> None:
    assert parse_cpu(f"{quarters / 4:g}{gap}{unit}") == quarters * 256


@given(st.integers(min_value=1, max_value=2000), st.sampled_from(["", " "]), st.sampled_from(["gb", "GB", "Gb"]))
def test_halves_of_a_gb_are_whole_numbers_of_mib(halves: int, gap: str, unit: str) -> None:
    assert parse_memory(f"{halves / 2:g}{gap}{unit}") == halves * 512


def test_fargate_has_74_pairs() -> None:
    assert len(PAIRS) == 74


def test_the_unconfirmed_size_is_offered_only_on_request() -> None:
    assert 32768 not in fargate_sizes()
    assert fargate_sizes(unconfirmed=True)[32768] == (61440, 122880, 249856)


def test_windows_begins_at_one_vcpu_and_ends_at_four() -> None:
    assert list(fargate_sizes("windows")) == [1024, 2048, 4096]


@given(st.integers(min_value=0, max_value=20000), st.integers(min_value=0, max_value=130000))
def test_no_other_pair_is_a_fargate_size(cpu: int, memory: int) -> None:
    assert is_fargate_size(cpu, memory) == ((cpu, memory) in PAIRS)


def test_a_task_reserves_its_own_sizes_where_it_has_them() -> None:
    assert reserved({"cpu": "256", "memory": "1 GB", "containerDefinitions": [{"cpu": 10, "memory": 20}]}) == Reservation(256, 1024)


def test_a_task_without_sizes_reserves_the_sum_of_its_containers_memory_reservation_first() -> None:
    containers = [{"cpu": 100, "memory": 512, "memoryReservation": 128}, {"memory": 64}, {"cpu": 28}]
    assert reserved({"containerDefinitions": containers}) == Reservation(128, 192)


def test_an_hour_costs_vcpu_and_memory_and_storage_beyond_20_gib() -> None:
    assert hourly_price("us-east-1", 1024, 2048) == pytest.approx(0.04048 + 2 * 0.004445)
    assert hourly_price("ap-northeast-1", 256, 512) == pytest.approx(0.05056 / 4 + 0.00553 / 2)
    assert hourly_price("us-east-1", 1024, 2048, architecture="ARM64", storage_gib=30) == pytest.approx(
        0.03238 + 2 * 0.00356 + 10 * 0.000111
    )


def test_an_unknown_region_has_no_price() -> None:
    assert hourly_price("mars-north-1", 256, 512) is None
