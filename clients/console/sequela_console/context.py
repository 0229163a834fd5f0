"""The parts of the console that the functions for requests use."""

from __future__ import annotations

from dataclasses import dataclass

from sequela_client.client import Sequela

from sequela_console.alert_index.index import AlertIndex
from sequela_console.cohort_files.catalogue import CohortCatalogue
from sequela_console.sessions.embed_keys import EmbedKeys
from sequela_console.sessions.service_door import ServiceDoor
from sequela_console.sessions.session_store import SessionStore
from sequela_console.sessions.token_visitors import TokenVisitors
from sequela_console.settings import ConsoleSettings
from sequela_console.state.database import StateDatabase


@dataclass(frozen=True, slots=True)
class Console:
    """The parts of a running console.

    Args:
        settings: what the operator chose.
        service: the client of the service with the console's own credentials: for the index, and for panels in frames.
        door: the service as people reach it, with their own credentials.
        sessions: who is logged in.
        programs: the programs that send a token with each request.
        embed_keys: the keys of panels in frames.
        state: the console's own database.
        index: the index of stored explanations.
        cohorts: the cohorts that were named at the start.
    """

    settings: ConsoleSettings
    service: Sequela
    door: ServiceDoor
    sessions: SessionStore
    programs: TokenVisitors
    embed_keys: EmbedKeys
    state: StateDatabase
    index: AlertIndex
    cohorts: CohortCatalogue
