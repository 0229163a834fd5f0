"""Groups the options of a command, so that `--help` shows related options under one heading."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]


class GroupedOption(click.Option):
    """An option that `--help` shows under a heading."""

    def __init__(self, *declarations: Any, heading: str, **settings: Any) -> None:
        super().__init__(*declarations, **settings)
        self.heading = heading


class GroupedCommand(click.Command):
    """A command whose `--help` has a section for each heading, in the order in which options were declared."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the sections; options without a heading come last."""
        sections: dict[str, list[tuple[str, str]]] = {}
        rest = "Other options"
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                sections.setdefault(getattr(param, "heading", rest), []).append(record)
        for heading in (*(each for each in sections if each != rest), rest):
            if heading in sections:
                with formatter.section(heading):
                    formatter.write_dl(sections[heading])


def option(heading: str, *declarations: str, **settings: Any) -> Decorator:
    """Returns a decorator that adds an option under a heading."""
    return click.option(*declarations, cls=GroupedOption, heading=heading, **settings)


def added(command: Command, options: list[Decorator]) -> Command:
    """Adds options to a command, in this order."""
    for each in reversed(options):
        command = each(command)
    return command
