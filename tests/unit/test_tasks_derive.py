"""Derivations: what follows from tables and pages, and everything that leaves no single answer."""

import pytest

from lite.tasks.derive import Item, Underivable, derive, hops, nodes, tables_in
from lite.tasks.sheet import sheet_of
from lite.tasks.tables import read_tables
from lite.tasks.values import read_value

CLUBS = """| Club | City | Goals | Founded | Captain |
|---|---|---|---|---|
| [Alba](https://t.test/alba) | Rome | 10 | 1900 | [Ann Lee](https://t.test/ann) |
| [Bor](https://t.test/bor) | Rome | 25 | 1910 | [Bob Roe](https://t.test/bob) |
| [Cal](https://t.test/cal) | Oslo | 25 | 1920 | [Cy Poe](https://t.test/cy) |
| [Dun](https://t.test/dun) | Oslo Fjord | 7 | 1930 | [Di Moe](https://t.test/di) |
"""
OTHER = """| Team | Coach |
|---|---|
| [Bor](https://t.test/bor) | Max Pye |
| Eno | Max Pye |
"""
URL, LATER = "https://t.test/clubs-2010", "https://t.test/clubs-2012"
BORN = {"ann": "1 May 1980", "bob": "2 May 1985", "cy": "3 May 1985"}


class Small:
    """Two tables and three pages as a `Source`."""

    def sheet(self, url, nth):
        text = {URL: CLUBS, LATER: OTHER}.get(url)
        [table], _ = read_tables(text) if text and nth == 0 else ([None], 0)
        return table and sheet_of(url, "Clubs 2010" if url == URL else "Clubs 2012", "", table)

    def stated(self, url, relation):
        said = BORN.get(url.rpartition("/")[2]) if relation == "born" else None
        return Item(read_value(said), "", url, 0, len(said)) if said else None


def find(where, get="Club", url=URL):
    return {"op": "find", "table": [url, 0], "where": where, "get": get}


def test_a_cell_a_count_a_list_and_the_places_they_rest_on():
    found = derive(find([["Club", "is", "the ALBA"]], "Goals"), Small())
    assert found.one().text == "10"
    assert {CLUBS[item.start : item.end] for item in found.rests_on} == {"10", "[Alba](https://t.test/alba)"}
    rome = find([["City", "is", "Rome"]])
    assert derive({"op": "count", "of": rome}, Small()).number == 2
    assert [item.text for item in derive({"op": "list", "of": rome}, Small()).items] == ["Alba", "Bor"]


def test_calculations():
    ten, more = find([["Club", "is", "Alba"]], "Goals"), find([["Club", "is", "Bor"]], "Goals")
    assert derive({"op": "difference", "of": [ten, more]}, Small()).number == 15
    assert derive({"op": "ratio", "of": [more, ten]}, Small()).number == 2.5
    assert derive({"op": "sum", "of": find([], "Goals")}, Small()).number == 67
    assert derive({"op": "mean", "of": find([], "Goals")}, Small()).number == 16.75


def test_a_chain_over_two_pages():
    captain = find([["Goals", "<", 9]], "Captain")
    assert derive(captain, Small()).one().text == "Di Moe"
    born = {"op": "fact", "page": find([["Club", "is", "Bor"]], "Captain"), "relation": "born"}
    assert derive(born, Small()).one().text == "2 May 1985"
    assert hops(born) == 2
    assert tables_in(born) == [(URL, 0)]
    assert len(nodes(born)) == 2


def test_conditions_on_what_other_pages_state():
    rome = ["City", "is", "Rome"]
    assert derive(find([rome, [["of", "Captain", "born"], "in", 1985]]), Small()).one().text == "Bor"
    with pytest.raises(Underivable, match="born of Di Moe is not known"):
        derive(find([[["of", "Captain", "born"], "in", 1985]]), Small())


def test_the_same_words_for_another_page_leave_it_open_what_is_meant():
    text = """| Film | Language |
|---|---|
| Moon | [Hindi](https://t.test/hindi) |
| Star | [Hindi](https://t.test/hindustani) |
"""
    [table], _ = read_tables(text)

    class Films(Small):
        def sheet(self, url, nth):
            return sheet_of(url, "Films", "", table)

    language = find([["Film", "is", "Moon"]], "Language")
    with pytest.raises(Underivable, match="links to several pages"):
        derive({"op": "list", "of": find([["Language", "is", "Hindi"]], "Film")}, Films())
    with pytest.raises(Underivable, match="links elsewhere"):
        derive(find([["Language", "is", language]], "Film"), Films())
    text = text.replace("[Hindi](https://t.test/hindustani)", "[Urdu](https://t.test/hindi)")
    [table], _ = read_tables(text)
    with pytest.raises(Underivable, match="in other words"):
        derive(find([["Language", "is", language]], "Film"), Films())


def test_most_least_and_rank_need_a_place_of_their_own():
    of = find([])
    assert derive({"op": "least", "of": of, "by": "Goals"}, Small()).one().text == "Dun"
    assert derive({"op": "most", "of": of, "by": "Founded"}, Small()).one().text == "Dun"
    assert derive({"op": "rank", "n": 2, "of": of, "by": "Founded"}, Small()).one().text == "Cal"
    for op in ({"op": "most"}, {"op": "rank", "n": 2}, {"op": "rank", "n": 3}):
        with pytest.raises(Underivable, match="two share"):
            derive({**op, "of": of, "by": "Goals"}, Small())


def test_lists_that_meet_sources_that_agree_and_the_newer_one():
    both = {"op": "meet", "of": [find([["Goals", ">", 9]]), find([], "Team", LATER)]}
    assert derive(both, Small()).one().text == "Bor"
    agree = {"op": "agree", "of": [find([["Founded", "is", "1910"]]), find([["Team", "is", "Bor"]], "Team", LATER)]}
    assert derive(agree, Small()).one().text == "Bor"
    differ = [find([["Club", "is", "Bor"]], "Captain"), find([["Team", "is", "Bor"]], "Coach", LATER)]
    assert derive({"op": "newer", "of": differ}, Small()).one().text == "Max Pye"
    for node, why in (
        ({"op": "agree", "of": differ}, "disagree"),
        ({"op": "newer", "of": differ[::-1]}, "older"),
        ({"op": "newer", "of": agree["of"]}, "the sources agree"),
        ({"op": "official", "of": differ}, "own page"),
    ):
        with pytest.raises(Underivable, match=why):
            derive(node, Small())


def test_one_page_under_two_names_is_neither_one_nor_two():
    text = """| Post | Party |
|---|---|
| [President](https://t.test/p) | Red |
| [President pro tempore](https://t.test/p) | Red |
"""
    [table], _ = read_tables(text)

    class Posts(Small):
        def sheet(self, url, nth):
            return sheet_of(url, "Posts", "", table)

    for op in ("list", "count"):
        with pytest.raises(Underivable, match="two names"):
            derive({"op": op, "of": find([["Party", "is", "Red"]], "Post")}, Posts())
    with pytest.raises(Underivable, match="more than one"):
        derive(find([["Party", "is", "Red"]], "Post"), Posts()).one()


@pytest.mark.parametrize(
    ("node", "why"),
    [
        (find([["City", "is", "Rome"]]), "more than one"),
        (find([["City", "is", "Bonn"]]), "nothing fits"),
        (find([["City", "is", "Oslo"]]), "may be meant"),  # "Oslo Fjord" might be meant too
        (find([["Club", ">", 3]]), "cannot be compared"),
        (find([], url="https://t.test/none"), "no table"),
        (find([["Nothing", "is", "x"]]), "not a derivation"),
        ({"op": "sum", "of": find([], "Club")}, "not numbers"),
        ({"op": "sum", "of": find([], "Founded")}, "years"),
        ({"op": "magic"}, "not a derivation"),
        ({"op": "fact", "page": "https://t.test/di", "relation": "born"}, "does not state"),
        ({"op": "fact", "page": find([["Club", "is", "Bor"]], "City"), "relation": "born"}, "no page"),
        ({}, "not a derivation"),
    ],
)
def test_what_gives_no_single_answer(node, why):
    with pytest.raises(Underivable, match=why):
        derive(node, Small()).one()
