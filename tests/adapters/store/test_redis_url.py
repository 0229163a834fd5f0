"""Which URLs lead where. Nothing is connected to."""

from __future__ import annotations

import traceback

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.connection import SSLConnection
from sequela.adapters.store.redis import url as redis_url
from sequela.adapters.store.redis.connection_classes import LimitedTcp, LimitedTls, LimitedUnix
from sequela.adapters.store.redis.url import RedisTimeouts, connector
from sequela.errors import InvalidInput

TIMEOUTS = RedisTimeouts(connect_seconds=0.11, answer_seconds=0.22, health_check_seconds=7)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://host", {"host": "host"}),
        (
            "redis://u:p%40ss@host:7000/3",
            {"host": "host", "port": 7000, "db": 3, "username": "u", "password": "p@ss"},
        ),
        (
            "rediss://host:7000?ssl_ca_certs=/ca.pem",
            {"connection_class": LimitedTls, "ssl_ca_certs": "/ca.pem"},
        ),
        (
            "unix:///run/redis.sock?db=2",
            {"connection_class": LimitedUnix, "path": "/run/redis.sock", "db": 2},
        ),
    ],
)
def test_one_server(url: str, expected: dict[str, object]) -> None:
    """The client's pool has what the URL says, and our timeouts, without any retry."""
    pool = connector(url, TIMEOUTS)().connection_pool
    found = {**pool.connection_kwargs, "connection_class": pool.connection_class}
    assert {name: found[name] for name in expected} == expected
    assert (found["socket_connect_timeout"], found["socket_timeout"]) == (0.11, 0.22)
    assert found["health_check_interval"] == 7
    assert found["retry"].get_retries() == 0


@pytest.mark.parametrize("scheme", ["sentinel", "redis+sentinel", "rediss+sentinel"])
def test_sentinels(scheme: str) -> None:
    """Several sentinels, the service and the database; user and password are the server's."""
    client = connector(f"{scheme}://u:p%3As@one:26380,[::1]:26381,two/mymaster/4", TIMEOUTS)()
    pool = client.connection_pool
    sentinels = [sentinel.connection_pool.connection_kwargs for sentinel in pool.sentinel_manager.sentinels]
    assert [(each["host"], each["port"]) for each in sentinels] == [
        ("one", 26380),
        ("::1", 26381),
        ("two", 26379),
    ]
    assert pool.service_name == "mymaster"
    assert pool.connection_kwargs["db"] == 4
    assert (pool.connection_kwargs["username"], pool.connection_kwargs["password"]) == ("u", "p:s")
    assert issubclass(pool.connection_class, SSLConnection) == (scheme == "rediss+sentinel")
    for each in (*sentinels, pool.connection_kwargs):
        assert (each["socket_connect_timeout"], each["socket_timeout"]) == (0.11, 0.22)
        assert each["retry"].get_retries() == 0


@pytest.mark.parametrize("scheme", ["cluster", "redis+cluster", "rediss+cluster"])
def test_cluster(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All nodes named are asked. A client would connect at once, so its class is stood in for."""
    asked: dict[str, object] = {}
    monkeypatch.setattr(redis_url, "RedisCluster", lambda **options: asked.update(options))
    connector(f"{scheme}://:secret@10.0.0.1:7000,node:7001,last?ssl_ca_certs=/ca.pem", TIMEOUTS)()
    nodes = asked["startup_nodes"]
    assert [(node.host, node.port) for node in nodes] == [("10.0.0.1", 7000), ("node", 7001), ("last", 6379)]
    assert asked["password"] == "secret"
    assert asked["username"] is None
    assert asked["socket_timeout"] == 0.22
    assert (asked["connection_class"], asked.get("ssl_ca_certs")) == (
        (LimitedTls, "/ca.pem") if scheme == "rediss+cluster" else (LimitedTcp, None)
    )


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host:6379",
        "http://host",
        "redis://host:port",
        "redis://host?socket_timeout=soon",
        "sentinel://host:26379",
        "sentinel://host/service/db",
        "sentinel://host:x/service",
        "cluster://host:7000/0",
        "cluster://host:7000,,other",
        "cluster://",
        "cluster://[::1",
        "cluster://::1",
        "cluster://[::1]x:7000",
        "cluster://host:70000",
        "redis://one:6379,two:6379/0",
        "unix://",
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    """With the known forms."""
    with pytest.raises(InvalidInput, match=r"redis\+cluster://") as error:
        connector(url, TIMEOUTS)
    assert error.value.reason == "REDIS_URL_INVALID"


@pytest.mark.parametrize(
    "url",
    [
        "sentinel://u:secret@host",
        "sentinel://u:se/cret@host/service",
        "redis://u:secret/1@host",
        "redis://u:secret?@host",
        "redis://u:secret#@host",
        "redis://u:secret?a=b@host",
        "redis://:top/secret@host",
        "redis://:12/secret@host:6379/0",
        "unix://:top/secret@host/redis.sock",
        "redis://:sec\u2100ret@host:x",
        "u:secret@host",
    ],
)
def test_a_refusal_does_not_tell_the_password(url: str) -> None:
    """It goes to logs and terminals, whatever the password has in it."""
    with pytest.raises(InvalidInput) as error:
        connector(url, TIMEOUTS)
    assert "cret" not in error.value.message
    assert "host" in error.value.message


@settings(max_examples=300, deadline=None)
@given(
    scheme=st.sampled_from(["redis", "rediss", "unix", "redis+sentinel", "redis+cluster", "http"]),
    parts=st.lists(st.sampled_from("/?#@:[]%&=, \u2100"), max_size=4),
    rest=st.sampled_from(
        ["@host:6379/0", "@host:6379", "@host/mymaster", "@host:x", "@/run/redis.sock", "@h1,h2/m"]
    ),
)
def test_no_password_is_told(scheme: str, parts: list[str], rest: str) -> None:
    """Of any password, refused or not: neither the message nor what a traceback would show has a part of it."""
    text = f"{scheme}://user:{'pass'.join(['', *parts, ''])}word{rest}"
    try:
        connector(text, TIMEOUTS)
    except InvalidInput as error:
        told = "".join(traceback.format_exception(error))
        assert "pass" not in told.replace("password", "")
        assert "word" not in told.replace("password", "")
