"""Route templates as text: `/pets/{id}`, from a bare path or from any framework's own notation.

`template` makes one out of a path whose framework names no route: without it every `/pets/17`
would be a route of its own, and no chart by route would be readable. The `from_` functions turn
each framework's notation into ours, so that routes read alike whatever served them.
"""

from __future__ import annotations

import re
from functools import lru_cache

MEMO_PATHS_COUNT = 4096
MEMO_ROUTES_COUNT = 2048
# Longer paths are templated each time, so that the memo is bounded in bytes too.
MEMO_PATH_CHARACTERS = 256
LONGEST_WORD_CHARACTERS = 128
LEAST_TOKEN_CHARACTERS = 16
LEAST_TAIL_CHARACTERS = 10

# A segment that every rule below would leave alone; most segments end here.
_WORD = re.compile(r"[A-Za-z_~-]{0,15}|[vV]\d{1,3}(?:\.\d{1,3})*|\{[^/]*\}", re.ASCII)

_ID = re.compile(
    r"""
      [-+]?\d+                                                  # integer
    | [-+]?\d+\.\d{3,}                                          # coordinate; 1.0 is a version
    | [-+]?\d+(?:\.\d+)?(?:,[-+]?\d+(?:\.\d+)?)+                # list of numbers
    | \{?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}?      # UUID
    | (?=[a-f]*\d)[0-9a-f]{8,} | [0-9a-f]{16,}                  # digest, ObjectId, trace id
    | [0-7][0-9a-hjkmnp-tv-z]{25}                               # ULID
    | \d{4}-\d{2}(?:-\d{2}(?:[t_ ]\d{2}[:.-]?\d{2}[0-9:.,z+-]*)?)?    # date, date and time
    | \d{4}-w\d{2}(?:-\d)?                                      # week
    | [a-z][a-z0-9]{0,9}[_-](?:[a-z]{1,8}[_-])?\d{5,}           # order-10023
    | [^/@]+@[^/@]+\.[^/@]+                                     # mail address
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_TOKEN = re.compile(r"[A-Za-z0-9_.~=+-]+", re.ASCII)
_PREFIXED = re.compile(r"[A-Za-z][A-Za-z_]{1,15}_([A-Za-z0-9]+)", re.ASCII)
_FILE = re.compile(r"(.+)\.([A-Za-z][A-Za-z0-9]{1,4})", re.ASCII)
_SEPARATORS = re.compile(r"[_.~=+-]", re.ASCII)
_DIGITS = re.compile(r"\d+", re.ASCII)
_CHANGE = re.compile(r"(?<=[a-z])[A-Z0-9]|(?<=[A-Z])[a-z0-9]|(?<=[0-9])[A-Za-z]", re.ASCII)


def template(path: str) -> str:
    """The path with each segment that names one thing replaced by `{id}`.

    Replaced are integers, UUIDs, long hex, ULIDs, dates, random tokens, mail addresses, and
    segments with percent-encoded text or of extreme length, as those are data and not the shape of
    an API. A file's extension is kept: `/reports/17.pdf` becomes `/reports/{id}.pdf`.

    Guarantee: never raises; has as many segments as the path; applying it twice changes nothing
    more; memory is bounded however many paths are seen; thread safe.
    """
    if not path:
        return "/"
    return _memo(path) if len(path) <= MEMO_PATH_CHARACTERS else _join(path)


def _join(path: str) -> str:
    return "/".join([_segment(part) for part in path.split("/")])


_memo = lru_cache(maxsize=MEMO_PATHS_COUNT)(_join)


def _segment(text: str) -> str:
    if _WORD.fullmatch(text):
        return text
    if names_one_thing(text):
        return "{id}"
    file = _FILE.fullmatch(text)
    if file is not None and names_one_thing(file[1]):
        return "{id}." + file[2]
    return text


def names_one_thing(text: str) -> bool:
    """True for a segment that looks like an id and not like a word of the API."""
    if "%" in text or len(text) > LONGEST_WORD_CHARACTERS:
        return True
    return _ID.fullmatch(text) is not None or _is_prefixed(text) or _is_random(text)


def _is_prefixed(text: str) -> bool:
    # cus_9s6XKzkNRiz8i3 and the like: a word, then a tail that no word looks like.
    found = _PREFIXED.fullmatch(text)
    if found is None or len(found[1]) < LEAST_TAIL_CHARACTERS:
        return False
    digits = len(_DIGITS.findall(found[1]))
    return digits >= 2 or (digits == 1 and _is_mixed(found[1]))


def _is_random(text: str) -> bool:
    # Random text changes between capitals, small letters and digits at every second character and
    # scatters its digits; camelCase names change more seldom and hold one number at most.
    if len(text) < LEAST_TOKEN_CHARACTERS or _TOKEN.fullmatch(text) is None:
        return False
    digits = len(_DIGITS.findall(text))
    if not _is_mixed(text):
        return digits >= 3 and len(_CHANGE.findall(text)) * 4 >= len(text)
    text = _SEPARATORS.sub("", text)
    changes = len(_CHANGE.findall(text))
    return changes * 2 >= len(text) or (digits >= 2 and changes * 10 >= len(text) * 3)


def _is_mixed(text: str) -> bool:
    return text.lower() != text and text.upper() != text


_STARLETTE = re.compile(r"\{([^{}:]+):[^{}]*\}")
_WERKZEUG = re.compile(r"<(?:[^<>]*:)?\s*([A-Za-z_]\w*)\s*>")
_BOTTLE = re.compile(r"<([A-Za-z_]\w*)?(?::(?:\\.|[^\\>])*)?>")
_BOTTLE_OLD = re.compile(r"(?<=/):([A-Za-z_]\w*)(?:#[^#]*#)?")


@lru_cache(maxsize=MEMO_ROUTES_COUNT)
def from_starlette(path: str) -> str:
    """A Starlette or FastAPI path: `/pets/{id:int}` gives `/pets/{id}`."""
    return _STARLETTE.sub(r"{\1}", path)


@lru_cache(maxsize=MEMO_ROUTES_COUNT)
def from_werkzeug(rule: str) -> str:
    """A Flask, Quart or Werkzeug rule: `/pets/<int:id>` gives `/pets/{id}`."""
    return _WERKZEUG.sub(r"{\1}", rule)


@lru_cache(maxsize=MEMO_ROUTES_COUNT)
def from_bottle(rule: str) -> str:
    """A Bottle rule: `/pets/<id:int>` and the old `/pets/:id` give `/pets/{id}`."""
    rule = _BOTTLE.sub(lambda found: "{" + (found[1] or "id") + "}", rule)
    return _BOTTLE_OLD.sub(r"{\1}", rule)


@lru_cache(maxsize=MEMO_ROUTES_COUNT)
def from_django(route: str) -> str:
    """A Django route: `pets/<int:id>/` and `^pets/(?P<id>[0-9]+)/$` give `/pets/{id}/`."""
    if "(" in route or "^" in route or "$" in route:
        route = _without_groups(route)
        route = route.replace("^", "").replace("$", "").replace("\\Z", "").replace("/?", "/")
        route = re.sub(r"\\(.)", r"\1", re.sub(r"\}[?*+]", "}", route))
    return "/" + _WERKZEUG.sub(r"{\1}", route).lstrip("/")


def _without_groups(pattern: str) -> str:
    # Each outermost group of a regular expression becomes {name}, or {id} when it has none.
    out: list[str] = []
    depth = 0
    start = 0
    position = 0
    while position < len(pattern):
        mark = pattern[position]
        if mark == "\\":
            position += 1
        elif mark == "[":
            position = _end_of_class(pattern, position)
        elif mark == "(":
            if depth == 0:
                out.append(pattern[start:position])
                start = position
            depth += 1
        elif mark == ")" and depth:
            depth -= 1
            if depth == 0:
                out.append(_group_name(pattern[start:position]))
                start = position + 1
        position += 1
    return "".join(out) + pattern[start:]


def _end_of_class(pattern: str, start: int) -> int:
    # A bracket right after the opening one, or after its ^, is a member and not the end.
    end = pattern.find("]", start + (3 if pattern[start + 1 : start + 2] == "^" else 2))
    return len(pattern) if end < 0 else end


def _group_name(group: str) -> str:
    named = re.match(r"\(\?P<(\w+)>", group)
    if named is not None:
        return "{" + named[1] + "}"
    return "" if re.match(r"\(\?[^:]", group) else "{id}"
