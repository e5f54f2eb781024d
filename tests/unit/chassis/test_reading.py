"""What is done with a stored row that cannot be read."""

import pytest

from services.chassis.reading import readable


def test_a_row_that_cannot_be_read_is_named_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    """An operator who hears that one is missing must find it."""
    assert readable("jobs/7", int, "7") == 7
    assert not capsys.readouterr().err

    assert readable("jobs/8", int, "eight") is None
    written = capsys.readouterr().err
    assert "jobs/8" in written
    assert "eight" in written


def test_a_fault_of_the_program_is_not_taken_for_a_damaged_row() -> None:
    """Else a mistake of ours would look like an empty list."""
    with pytest.raises(TypeError):
        readable("jobs/9", len, 9)  # type: ignore[arg-type]
