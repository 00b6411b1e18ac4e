"""What passes and is waited for, and what is refused for good."""

from __future__ import annotations

import pytest
from redis import exceptions

from manyhands.errors import StoreRefused, Unavailable
from manyhands.store.redis_store import _describe


@pytest.mark.parametrize(
    "error",
    [
        exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."),
        exceptions.ReadOnlyError("You can't write against a read only replica."),
        exceptions.ResponseError("Error running script (call to f_1): @user_script:1: -OOM command not allowed"),
        exceptions.ResponseError("MISCONF Redis is configured to save RDB snapshots"),
        exceptions.ConnectionError("refused"),
        exceptions.TimeoutError("too late"),
        OSError("gone"),
    ],
)
def test_a_redis_that_is_full_or_fails_over_is_waited_for(error: Exception) -> None:
    described = _describe(error)
    assert type(described) is Unavailable


def test_an_error_of_the_command_itself_is_not_tried_again() -> None:
    assert type(_describe(exceptions.ResponseError("string exceeds maximum allowed size"))) is StoreRefused
