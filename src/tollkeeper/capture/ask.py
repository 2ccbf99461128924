"""Asks the host's callables who called, whether to skip, and what else to say about a call.

Each is called with (request, response), sync or async. One that raises, or answers something that
cannot be used, is counted under its name and its field stays empty; the host never notices.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from tollkeeper.capture.call import Call
from tollkeeper.capture.guard import FAILED, quiet, quiet_async
from tollkeeper.capture.options import Options
from tollkeeper.capture.stats import Counts


def _as_id(answer: Any) -> str | None:
    """An id as text; numbers and UUIDs are taken too, nothing and "" mean nobody."""
    if answer is None or answer == "":
        return None
    if isinstance(answer, bool) or not isinstance(answer, (str, int, UUID)):
        raise TypeError("an id is a text")
    return str(answer)


def _as_token(answer: Any) -> str | None:
    """A credential as text."""
    if isinstance(answer, bytes):
        answer = answer.decode("latin-1")
    if answer is not None and not isinstance(answer, str):
        raise TypeError("a session token is a text")
    return answer or None


def _as_metadata(answer: Any) -> dict[str, Any] | None:
    """Metadata as a dict."""
    if answer is not None and not isinstance(answer, Mapping):
        raise TypeError("metadata is a dict")
    return dict(answer) if answer else None


def _as_flag(answer: Any) -> bool:
    """A yes or no."""
    if inspect.isawaitable(answer):
        raise TypeError("a coroutine is no answer")
    return bool(answer)


_CONVERT: dict[str, tuple[str, Callable[[Any], Any], Any]] = {
    "skip": ("", _as_flag, None),
    "identify_user": ("user", _as_id, ""),
    "identify_company": ("company", _as_id, ""),
    "get_session_token": ("session_token", _as_token, ""),
    "get_metadata": ("metadata", _as_metadata, {}),
}
"""For each callable: the call's field, what makes a value of the answer, and what stands for a failure."""


class _Question(NamedTuple):
    """One callable of the host, and what becomes of its answer."""

    name: str
    function: Callable[..., Any]
    field: str
    convert: Callable[[Any], Any]
    failed: Any
    is_coroutine: bool


class Asker:
    """Puts the host's callables to work on calls.

    Guarantee: each field is resolved once: what is already there is not asked for again. A failed
    field is left as empty text (or dict), which keeps other rules from filling it.
    """

    def __init__(self, options: Options, counts: Counts) -> None:
        given, coroutines = options.callables, options.asynchronous
        self._counts = counts
        self._questions = [
            _Question(name, given[name], *row, name in coroutines)
            for name, row in _CONVERT.items()
            if name in given
        ]
        self._plain = [question for question in self._questions if not question.is_coroutine]
        self.asks = bool(self._questions)
        self.awaits = len(self._plain) < len(self._questions)

    def ask(self, call: Call) -> bool:
        """Asks the plain functions; false when the call is to be skipped."""
        for question in self._plain:
            if question.field and getattr(call, question.field) is not None:
                continue
            answer = quiet(self._counts, question.name, _answer, question, call)
            if not _keep(call, question, answer):
                return False
        return True

    async def ask_async(self, call: Call) -> bool:
        """Asks all of them, awaiting the coroutines; false when the call is to be skipped."""
        for question in self._questions:
            if question.field and getattr(call, question.field) is not None:
                continue
            answer = await quiet_async(self._counts, question.name, _answer_async(question, call))
            if not _keep(call, question, answer):
                return False
        return True


def _answer(question: _Question, call: Call) -> Any:
    """The usable answer of a plain function."""
    answer = question.function(call.request, call.response)
    if inspect.iscoroutine(answer):
        answer.close()  # a plain function that returns a coroutine is not awaited here
        raise TypeError("a coroutine is no answer")
    return question.convert(answer)


async def _answer_async(question: _Question, call: Call) -> Any:
    """The usable answer of a function of either kind."""
    answer = question.function(call.request, call.response)
    if inspect.isawaitable(answer):
        answer = await answer
    return question.convert(answer)


def _keep(call: Call, question: _Question, answer: Any) -> bool:
    """Puts an answer into its field; false when the answer is to skip the call."""
    if not question.field:
        return not answer
    setattr(call, question.field, question.failed if answer is FAILED else answer)
    return True
