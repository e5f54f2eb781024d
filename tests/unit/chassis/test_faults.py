"""What the log says of a refusal."""

from services.chassis.errors import FieldViolation, Kind, Refusal, invalid_fields
from services.chassis.rpc import faults


def test_the_log_names_the_fields_that_were_wrong() -> None:
    """Whoever reads `call refused: INVALID_FIELD` wants to know what to tell the caller."""
    refused = invalid_fields([FieldViolation("request_id", "must be a valid UUID")])

    assert faults._fields(refused) == {"fields": ["request_id"]}
    assert faults._fields(Refusal(Kind.NOT_FOUND, "JOB_NOT_FOUND", "There is no such job.")) == {}


def test_a_caller_does_not_fill_the_log_with_names_of_fields() -> None:
    """A path may hold keys of a map, which the caller chooses, and a list may be wrong throughout."""
    wrong = [FieldViolation(f"items[{at}].{'x' * 1000}", "must be set") for at in range(500)]

    logged = faults._fields(invalid_fields(wrong))["fields"]

    assert len(logged) == faults.MOST_FIELDS
    assert all(len(name) == faults.LONGEST_FIELD for name in logged)
