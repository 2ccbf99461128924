"""What the ingest room tells of itself, as Prometheus metrics.

Names follow the Prometheus conventions: base units, ``_total`` on counters.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from tollkeeper.ingest.block import Block

_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class IngestMetrics:
    """Counters and timers of collector and pipeline."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self.requests = Counter(
            "tollkeeper_collector_requests",
            "Requests to the collector, by resource and status.",
            ["resource", "status"],
            registry=registry,
        )
        self.accepted = Counter(
            "tollkeeper_events_accepted", "Events acknowledged.", ["source"], registry=registry
        )
        self.items = Counter(
            "tollkeeper_pipeline_items",
            "Items through the pipeline, by result.",
            ["result"],
            registry=registry,
        )
        self.failures = Counter(
            "tollkeeper_pipeline_failures", "Tries to store a block that failed.", registry=registry
        )
        self._steps = Histogram(
            "tollkeeper_pipeline_step_seconds",
            "Time of one step over one block.",
            ["step"],
            buckets=_BUCKETS,
            registry=registry,
        )

    def watch(self, backlog: Callable[[], tuple[int, int]], lag: Callable[[], float]) -> None:
        """Reads the journal's backlog (entries, bytes) and the pipeline's lag when scraped."""
        entries = Gauge(
            "tollkeeper_journal_backlog_entries",
            "Requests accepted but not stored yet.",
            registry=self._registry,
        )
        entries.set_function(lambda: backlog()[0])
        size = Gauge(
            "tollkeeper_journal_backlog_bytes",
            "Bytes accepted but not stored yet.",
            registry=self._registry,
        )
        size.set_function(lambda: backlog()[1])
        behind = Gauge(
            "tollkeeper_pipeline_lag_seconds",
            "Age of the newest stored request while a backlog waits, else 0.",
            registry=self._registry,
        )
        behind.set_function(lag)

    def step(self, name: str) -> AbstractContextManager[object]:
        """Times one step of the pipeline."""
        return self._steps.labels(name).time()

    def note(self, block: Block) -> None:
        """Counts what became of a block's items."""
        self.items.labels("stored").inc(len(block.events))
        self.items.labels("duplicate").inc(block.duplicate_count)
        self.items.labels("conflict").inc(len(block.conflicts))
        self.items.labels("rejected").inc(len(block.held))
