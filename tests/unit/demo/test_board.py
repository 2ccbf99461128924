from collections import Counter

from tollkeeper.demo.board import differences, rows, table
from tollkeeper.demo.cast import LAPSED_USER, OPAQUE_USER, partners
from tollkeeper.demo.watch import UNKNOWN, Seen, expected

CAST = partners()


def test_equal_counts_have_no_difference() -> None:
    found = rows({"513": Seen(3, 1.5, 1)}, Counter({"513": 3}), Counter({"513": 1}), {}, CAST)
    assert differences(found) == []


def test_a_call_too_many_too_few_or_elsewhere_is_named() -> None:
    made = Counter({"513": 3, "1234": 1})
    found = rows({"513": Seen(4, 1.5, 1), "": Seen(1, 1.0, 0)}, made, Counter(), {}, CAST)
    assert len(differences(found)) == 4
    assert "513: the server counted 4 calls, 3 were made" in differences(found)
    assert "513: the server counted 1 errors, 0 were answered" in differences(found)
    assert "1234: the server counted 0 calls, 1 were made" in differences(found)


def test_the_opaque_keys_calls_move_when_it_is_bound() -> None:
    made = Counter({OPAQUE_USER: 5, LAPSED_USER: 2, "513": 1})
    assert expected(made, CAST, bound=()) == {UNKNOWN: 7, "513": 1}
    assert expected(made, CAST, bound={OPAQUE_USER}) == {UNKNOWN: 2, OPAQUE_USER: 5, "513": 1}


def test_a_short_table_still_adds_up() -> None:
    made = Counter({"513": 30, "1234": 20, "2560": 10})
    seen = {user: Seen(count, 1.0, 0) for user, count in made.items()}
    grid = table(rows(seen, made, Counter(), {}, CAST), height=1)
    assert [column.footer for column in grid.columns][2:4] == ["60", "60"]
    assert [list(column.cells) for column in grid.columns][2] == ["30", "30"]
