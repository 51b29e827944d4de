"""The form of API keys."""

from __future__ import annotations

import pytest

from dermport.server.security.tokens import new_token, parse_token


def test_a_key_is_read_back_and_its_secret_is_long_and_its_own() -> None:
    first, second = new_token(), new_token()
    assert parse_token(str(first)) == first
    assert len(bytes.fromhex(first.secret)) * 8 >= 128
    assert first.secret != second.secret
    assert first.id != second.id


def test_a_secret_is_not_shown_by_accident() -> None:
    token = new_token()
    assert token.secret not in repr(token)
    assert token.secret not in token.secret_sha256


@pytest.mark.parametrize("text", ["", "dp_", "dp_ab_cd", "DP_{id}_{secret}", "dp_{id}_{secret}0", " dp_{id}_{secret}"])
def test_other_forms_are_no_keys(text: str) -> None:
    token = new_token()
    assert parse_token(text.format(id=token.id, secret=token.secret)) is None
