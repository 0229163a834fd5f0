"""One command of a pipeline, and the scripts that commands run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

COMPARE_AND_DELETE = """
if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end
return 0
"""
"""Deletes a string unless somebody else has written another one. Arguments: the value."""

COMPARE_AND_EXPIRE = """
if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end
return 0
"""
"""Lets a string live longer unless somebody else has written another one. Arguments: the value, milliseconds."""

DELETE_RECORD = """
local value = redis.call('get', KEYS[1])
local cut = value and string.find(value, '\\n', 1, true)
if cut and string.sub(value, cut + 1) == ARGV[1] then
  redis.call('del', KEYS[1])
  return string.sub(value, 1, cut - 1)
end
return false
"""
"""Deletes a record unless it was replaced, and returns the key of its answer. Arguments: the sealed record."""

ADD_MEMBER = """
redis.call('zadd', KEYS[1], 0, ARGV[1])
if redis.call('pttl', KEYS[1]) < tonumber(ARGV[2]) then redis.call('pexpire', KEYS[1], ARGV[2]) end
"""
"""Adds a member, and lets the set live at least so long. Arguments: the member, milliseconds."""

ADD_BODY = """
redis.call('zremrangebyscore', KEYS[2], '-inf', ARGV[3])
redis.call('zadd', KEYS[2], ARGV[2], ARGV[1])
if redis.call('exists', KEYS[1]) == 0 then redis.call('set', KEYS[1], ARGV[4]) end
local last = redis.call('zrevrange', KEYS[2], 0, 0, 'withscores')[2]
redis.call('pexpireat', KEYS[1], last)
redis.call('pexpireat', KEYS[2], last)
"""
"""Adds a user of a body, writes its bytes if they are missing, and lets it live as long as the last of its users.
Arguments: the user, when it expires and the time now in milliseconds, the bytes.
"""

RELEASE_BODY = """
redis.call('zrem', KEYS[2], ARGV[1])
redis.call('zremrangebyscore', KEYS[2], '-inf', ARGV[2])
if redis.call('zcard', KEYS[2]) == 0 then redis.call('del', KEYS[1]) end
"""
"""Removes a user of a body, and the body if it was the last one. Arguments: the user, the time now in milliseconds."""

ADD_DELETION = """
local now = redis.call('time')
local number = now[1] * 1000000 + now[2]
local last = redis.call('zrevrange', KEYS[1], 0, 0)[1]
last = last and tonumber(string.sub(last, 1, 16))
if last and last >= number then number = last + 1 end
local shown = string.format('%016.0f', number)
redis.call('zremrangebylex', KEYS[1], '-', '(' .. string.format('%016.0f', number - ARGV[2] * 1000))
redis.call('zadd', KEYS[1], 0, shown .. '|' .. ARGV[1])
redis.call('persist', KEYS[1])
"""
"""Adds a deletion with the next number, and removes those that are too old. The numbers are microseconds of the clock
of Redis and grow, even if that does not. The log has no time to live, since Redis may evict keys that have one.
Arguments: the deletion, how long it is kept in milliseconds.
"""

STRING, SORTED_SET = "string", "zset"


@dataclass(frozen=True, slots=True)
class Command:
    """A command, and the Redis types of the keys that it touches.

    Attributes:
        words: The command and its arguments.
        types: The type that each key has, unless another program wrote to it.
        options: What redis-py needs to read the answer.
    """

    words: tuple[Any, ...]
    types: Mapping[str, str]
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def on(cls, redis_type: str, name: str, key: str, *arguments: Any) -> Command:
        """Returns a command whose first argument is its only key."""
        return cls((name, key, *arguments), {key: redis_type})

    @classmethod
    def script(cls, script: str, types: Mapping[str, str], *arguments: Any) -> Command:
        """Returns a script on these keys, which must share a slot."""
        return cls(("EVAL", script, len(types), *types, *arguments), types)
