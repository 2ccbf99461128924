"""One server over one data folder: everything is built and joined here."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import structlog
from fastapi import APIRouter
from prometheus_client import CollectorRegistry
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp

from tollkeeper.app.folder import claim
from tollkeeper.app.identities import Identities
from tollkeeper.clock import SYSTEM_CLOCK, Clock
from tollkeeper.config import ServerSettings
from tollkeeper.errors import InvalidInput, TollkeeperError
from tollkeeper.identity import access, applications
from tollkeeper.identity.applications import Application, Retention
from tollkeeper.identity.credential import load_pepper
from tollkeeper.identity.mirror import Mirror
from tollkeeper.identity.resolve import Resolver
from tollkeeper.identity.timeline import Owner
from tollkeeper.ingest import upkeep
from tollkeeper.ingest.block import Attributes
from tollkeeper.ingest.body import BodyLimits
from tollkeeper.ingest.collector import Collector, CollectorLimits
from tollkeeper.ingest.normalise import Context
from tollkeeper.ingest.operation import Operation
from tollkeeper.ingest.outcomes import Outcomes
from tollkeeper.ingest.pipeline import Pipeline
from tollkeeper.ingest.seen import Seen
from tollkeeper.ingest.telemetry import IngestMetrics
from tollkeeper.journal.entry import Entry
from tollkeeper.journal.journal import Journal, Limits
from tollkeeper.model.event import Event
from tollkeeper.query.answer import Asker
from tollkeeper.query.answer import Limits as QueryLimits
from tollkeeper.query.stream import LiveHub
from tollkeeper.store import progress
from tollkeeper.store.open import open_events
from tollkeeper.store.records import open_migrated, write
from tollkeeper.web import aliases as aliases_api
from tollkeeper.web import applications as applications_api
from tollkeeper.web import events as events_api
from tollkeeper.web import operation as operation_api
from tollkeeper.web import parties as parties_api
from tollkeeper.web import query as query_api
from tollkeeper.web import session as session_api
from tollkeeper.web.api import build_api
from tollkeeper.web.auth import guard
from tollkeeper.web.bounded import Bounded
from tollkeeper.web.edge import Edge
from tollkeeper.web.ui import dashboard

log = structlog.get_logger(__name__)

TOKEN_FILE = "admin-token"  # noqa: S105 - the name of a file
# A server that is started anew each day forgets and recounts too.
_FIRST_UPKEEP_SECONDS = 15 * 60.0
_UPKEEP_SECONDS = 24 * 3600.0


def write_private(path: Path, content: bytes) -> None:
    """Writes a file that only its owner can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def no_fault(point: str) -> None:
    """Does nothing at a named point; crash tests put something else here."""


class App:
    """One server over one data folder.

    Building it opens and migrates everything; ``start`` begins to store; ``stop`` stores what is
    accepted and closes. ``created`` tells the secrets that only a first start knows.
    """

    def __init__(
        self,
        settings: ServerSettings,
        *,
        clock: Clock = SYSTEM_CLOCK,
        fault: Callable[[str], None] = no_fault,
    ) -> None:
        self.settings = settings
        self._clock = clock
        folder = self._folder = Path(settings.data).absolute()
        self._lock = claim(folder)
        self.records = open_migrated(settings.records or f"sqlite:///{folder / 'records.db'}")
        self.admin_token = self._first_token()
        self._applications: dict[str, Application] = {}
        self._first_application()
        self.store = open_events(settings.events or f"chdb://{folder / 'events'}")
        self._pepper = load_pepper(folder)
        self.registry = CollectorRegistry()
        metrics = IngestMetrics(self.registry)
        outcomes = Outcomes()
        self.journal = Journal(
            folder / "journal",
            stored_position=progress.load_behind(
                self.records, self.store.last_position
            ).stored_position,
            limits=Limits(settings.backlog_bytes, settings.min_free_bytes, settings.segment_bytes),
            fault=fault,
        )
        self._resolver = Resolver(self.records)
        self.mirror = Mirror(self.records, self.store, clock=clock, changed=self._resolver.forget)
        self.asker = Asker(
            self.store,
            clock=clock,
            applications=self._application_named,
            as_of_us=self._as_of_us,
            limits=QueryLimits(settings.query_seconds, settings.query_memory_bytes),
        )
        self.hub = LiveHub(self.asker, owners=self._owner)
        self.pipeline = Pipeline(
            journal=self.journal,
            store=self.store,
            records=self.records,
            seen=Seen(folder / "seen"),
            context=self._context,
            parties=Identities(self._pepper, self.mirror.wake),
            announcers=[self.hub],
            outcomes=outcomes,
            metrics=metrics,
            clock=clock,
            fault=fault,
        )
        self.operation = Operation(
            journal=self.journal,
            pipeline=self.pipeline,
            store=self.store,
            records=self.records,
            applications=lambda: applications.listing(self.records),
            clock=clock,
        )
        metrics.watch(self.journal.backlog, lambda: (clock.now_us() - self._as_of_us()) / 1_000_000)
        collector = Collector(
            journal=self.journal,
            application_of=self._application_of,
            outcomes=outcomes,
            metrics=metrics,
            limits=CollectorLimits(
                BodyLimits(settings.max_body_bytes, settings.max_inflated_bytes),
                settings.max_batch_items,
            ),
            clock=clock,
        )
        self.asgi: ASGIApp = Edge(
            collector=collector,
            collects=lambda path, _method: Collector.takes(path),
            api=Bounded(build_api(self._routers())),
            ui=dashboard(),
        )
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self.mirror.run, name="mirror", daemon=True),
            threading.Thread(target=self._keep_up, name="upkeep", daemon=True),
        ]

    def _routers(self) -> list[APIRouter]:
        public_url = self.settings.public_url
        principal = guard(self.records, self._clock, public_url=public_url)
        return [
            session_api.router(self.records, self._clock, principal, public_url=public_url),
            applications_api.router(self.records, principal),
            query_api.router(self.asker, principal),
            events_api.router(self.asker, self.hub, principal),
            aliases_api.router(
                self.records,
                principal,
                pepper=self._pepper,
                clock=self._clock,
                changed=self.mirror.wake,
            ),
            parties_api.router(self.records, principal, clock=self._clock),
            operation_api.router(self.operation, self.registry, principal),
        ]

    def _first_token(self) -> str:
        """The preset admin token, else the one kept in the folder, else a new one.

        It is kept in a file that only the owner reads, so that the command line of the same
        machine and later starts can show the admin link again.
        """
        file = self._folder / TOKEN_FILE
        kept = file.read_text("ascii").strip() if file.exists() else ""
        token = self.settings.admin_token or kept or access.new_token()
        access.set_token(
            self.records, token, name="first", now_us=self._clock.now_us(), instead_of=kept
        )
        if token != kept:
            write_private(file, token.encode("ascii"))
        return token

    def _first_application(self) -> None:
        """Makes the first application, with the preset collector id when there is one."""
        known = applications.listing(self.records)
        preset = self.settings.application_id
        if not known or (preset and all(preset != a.collector_id for a in known)):
            retention = Retention(
                self.settings.bodies_days or None,
                self.settings.events_days or None,
                self.settings.rollups_days or None,
            )
            made = applications.create(
                self.records,
                name="My API" if not known else f"Application {len(known) + 1}",
                collector_id=preset or applications.new_collector_id(),
                retention=retention,
                now_us=self._clock.now_us(),
            )
            known.append(made)
        self._applications = {a.collector_id: a for a in known}

    @property
    def collector_id(self) -> str:
        """The collector id to show: the preset one, else that of the first application."""
        return self.settings.application_id or next(iter(self._applications))

    def _application_of(self, collector_id: str) -> str | None:
        found = self._applications.get(collector_id)
        return found.id if found is not None else None

    def _application_named(self, wanted: str | None) -> str:
        """The id of an application; of the first one when none is named.

        Raises:
            InvalidInput: there is no such application.
        """
        known = [application.id for application in self._applications.values()]
        if wanted is None:
            return known[0]
        if wanted not in known:
            raise InvalidInput("there is no such application", field="application")
        return wanted

    def _owner(self, event: Event) -> Owner:
        """Who a passing event belongs to, as known now."""
        return self._resolver.owner(
            event.application,
            credential=event.credential,
            user=event.captured_user,
            customer=event.captured_customer,
            at_us=event.time,
        )

    def _as_of_us(self) -> int:
        """Up to when everything received is in the store."""
        return self.pipeline.as_of_us(self._clock.now_us())

    def _context(self, entry: Entry, attributes: Attributes) -> Context:
        return Context(
            application=entry.application,
            source=entry.source,
            position=entry.position,
            received_us=entry.received_us,
            digest=attributes.digest,
            peer=attributes.peer,
            pepper=self._pepper,
            user_claim=self.settings.user_id_jwt_claim,
        )

    def start(self) -> None:
        """Begins to store, to mirror, and to keep up."""
        self.mirror.run_once()
        self.pipeline.start()
        for thread in self._threads:
            thread.start()

    def stop_watching(self) -> None:
        """Ends live streams, so that a server which stops does not wait for them."""
        self.hub.close()

    def stop(self) -> None:
        """Stores everything accepted, then closes. Nothing may be appended any more."""
        self._stopping.set()
        self.pipeline.stop()
        self.mirror.stop()
        for thread in self._threads:
            thread.join()
        self.journal.close()
        self.store.close()
        self.records.dispose()
        self._lock.close()

    def _keep_up(self) -> None:
        """Soon after the start and then once a day: forgets what is due, and recounts."""
        seconds = _FIRST_UPKEEP_SECONDS
        while not self._clock.wait(self._stopping, seconds):
            seconds = _UPKEEP_SECONDS
            for task in (self._expire, self._sweep, self._recount):
                try:
                    task()
                except (TollkeeperError, SQLAlchemyError) as error:
                    log.error("upkeep_failed", error=str(error))

    def _expire(self) -> None:
        for application in applications.listing(self.records):
            upkeep.expire(self.store, application, self._clock.now_us())

    def _sweep(self) -> None:
        with write(self.records) as connection:
            upkeep.sweep(connection, applications.listing(self.records), self._clock.now_us())

    def _recount(self) -> None:
        answer = self.operation.recount()
        if not answer["equal"]:
            log.error("recount_differs", differences=answer["differences"][:20])
