"""The environments of peers: what happens where one cannot be had."""

from __future__ import annotations

import pytest

from scripts import peer_env


def test_a_platform_without_a_wheel_is_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`make test-all` goes on and says so; who asks for the Python is told, in the words that tests may skip with."""
    monkeypatch.setattr(peer_env, "platform_tags", lambda: ["macosx_14_0_arm64"])
    monkeypatch.setattr("sys.argv", ["peer_env.py", "triton"])
    peer_env.main()
    assert capsys.readouterr() == ("", "triton: no wheel for this platform\n")
    with pytest.raises(peer_env.NoWheel, match="no wheel for this platform"):
        peer_env.ensure("triton")
