"""What the ingest room tells of itself, as Prometheus metrics.

Names follow the Prometheus conventions: base units, ``_total`` on counters.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from prometheus_client import CollectorRegistry, Counter, Histogram

from tollkeeper.ingest.block import Block

_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class IngestMetrics:
    """Counters and timers of collector and pipeline."""

    def __init__(self, registry: CollectorRegistry) -> None:
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

    def step(self, name: str) -> AbstractContextManager[object]:
        """Times one step of the pipeline."""
        return self._steps.labels(name).time()

    def note(self, block: Block) -> None:
        """Counts what became of a block's items."""
        self.items.labels("stored").inc(len(block.events))
        self.items.labels("duplicate").inc(block.duplicate_count)
        self.items.labels("conflict").inc(len(block.conflicts))
        self.items.labels("rejected").inc(len(block.held))
