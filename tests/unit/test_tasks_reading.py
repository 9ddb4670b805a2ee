"""What cells, tables, statements and columns are read as; what can be read in two ways is read as nothing."""

# ruff: noqa: RUF001  # signs that look like others are what is tested

import pytest

from lite.tasks.chinese import chinese_members, chinese_statements
from lite.tasks.nouns import header_unit, noun, plural, row_noun
from lite.tasks.sheet import Sheet, sheet_of
from lite.tasks.statements import bare_name, read_statements, subject_of
from lite.tasks.tables import read_tables
from lite.tasks.values import read_date, read_value


@pytest.mark.parametrize(
    ("raw", "number", "unit"),
    [
        ("888,876", 888876, ""),
        ("1,084.6 °C", 1084.6, "°C"),
        ("−157.4 °C", -157.4, "°C"),
        ("2.01 metres (6.6 ft)", 2.01, "metres"),
        ("$331,950,002", 331950002, "$"),
        ("12%", 12, "%"),
        ("42[1]", 42, ""),
        ("42†", 42, ""),
        ("42 ♦", 42, ""),
        ("[1,200](https://a.test/x)", 1200, ""),
    ],
)
def test_numbers(raw, number, unit):
    value = read_value(raw)
    assert (value.kind, value.number, value.unit) == ("number", number, unit)


@pytest.mark.parametrize(
    "raw",
    [
        "1.234",
        "12,5",
        "1 234",
        "10-12",
        "10–12",
        "c. 1850",
        "~300",
        "5 (3)",
        "3/4",
        "19?? -1995",
        "align=right/ 0",
        "1:30.063",
        "over 300",
        "21-16, 21-17",
        "1980-81",
        "Ohio (3)",
        "{{x}}",
        "at Dallas Cowboys",
        "[Genoa](https://a.test/g) Genova",
        "Fort Sherman - Closed",
        "[Howard](https://a.test/h) Airport, former Howard Air Force Base",
    ],
)
def test_what_reads_two_ways_is_odd(raw):
    assert read_value(raw).kind in {"odd", "several"}


@pytest.mark.parametrize("raw", ["BAR - Honda", "At the Movies", "Walker, Texas Ranger", "Alsoville, Ohio"])
def test_names_with_dashes_and_commas_are_names(raw):
    assert read_value(raw).kind == "text"


@pytest.mark.parametrize("raw", ["", " - ", "—", "N/A", "TBD", "?", "none", "Various"])
def test_nothing_is_nothing(raw):
    assert read_value(raw).kind == "empty"


@pytest.mark.parametrize(
    ("raw", "iso"),
    [
        ("October 22, 1978", "1978-10-22"),
        ("22 October 1978", "1978-10-22"),
        ("22nd of October, 1978", "1978-10-22"),
        ("1978-10-22", "1978-10-22"),
        ("7 Dec. 2002", "2002-12-07"),
    ],
)
def test_dates_in_their_orders(raw, iso):
    assert str(read_date(raw)) == iso


@pytest.mark.parametrize("raw", ["03/04/2001", "3.4.2001", "31 February 2001", "Octobre 3, 2001", "2001-13-01"])
def test_a_date_of_unsure_order_is_none(raw):
    assert read_date(raw) is None


def test_two_links_are_several_and_a_place_is_one():
    assert read_value("[A](https://a.test/a), [B](https://a.test/b) and [C](https://a.test/c)").kind == "several"
    assert read_value("[Paris](https://a.test/p), [France](https://a.test/f)").kind == "text"


TABLE = """# Towns

## North

| Town | Population | Mayor |
|---|---|---|
| [Alba](https://t.test/alba) | 1,200 | Ann Lee |
| Bor | 2,300[2] | Bo \\| Co |
"""


def test_cells_know_where_they_stand():
    [table], broken = read_tables(TABLE)
    assert not broken
    assert table.heading == ("Towns", "North")
    assert [TABLE[cell.start : cell.end] for cell in table.rows[1]] == ["Bor", "2,300[2]", "Bo \\| Co"]
    assert table.rows[0][0].link == "https://t.test/alba"
    assert table.rows[1][2].text == "Bo | Co"


@pytest.mark.parametrize(
    "text", ["| A | B |\n|---|---|\n| 1 |\n", "| A | B |\n|---|---|\n| 1 | 2 | 3 |\n", "| A |\n|---|\n"]
)
def test_a_table_of_unequal_rows_is_broken(text):
    assert read_tables(text) == ([], 1)


def test_a_fenced_table_is_code():
    assert read_tables("```\n| A | B |\n|---|---|\n| 1 | 2 |\n```\n") == ([], 0)


def sheet(header: str, *rows: str, title: str = "Things", heading: str = "List") -> Sheet:
    text = f"## {heading}\n\n| {header} |\n|{'---|' * (header.count('|') + 1)}\n" + "".join(
        f"| {row} |\n" for row in rows
    )
    [table], _ = read_tables(text)
    return sheet_of("https://t.test/x", title, title, table)


def test_the_subject_is_the_column_that_names_the_rows():
    assert sheet("Rank | Player | Club", "1 | Ann Lee | Alba", "2 | Bob Roe | Alba", "3 | Cy Poe | Bor").subject == 1
    assert sheet("Year | Winner", "1990 | Alba", "1991 | Bor", "1992 | Alba").subject == 0
    assert sheet("Club | Manager", "U2 | Ann Lee", "Bor | Bob Roe", "Cal | Cy Poe").subject == -1  # U2 cannot be read
    # What no plain word can be made of names the rows: they are not about the constructors.
    assert sheet("Handle | Constructor", "Axy | Alba", "Boz | Bor", "Cix | Cal").subject == -1
    # Races are not the towns that they were run in.
    races = ("World Cup | Oslo", "World Cup | Rome", "Euro Cup | Bonn")
    assert sheet("Competition | Venue", *races).subject == -1
    # Centres of one name are not the towns that they lie in.
    towns = ("Krishi Kendra | Ambala", "Krishi Kendra | Karnal", "Krishi Kendra | Hisar")
    assert sheet("Name | Location", *towns).subject == -1
    # A game is not its opponent.
    assert sheet("Week | Opponent | Points", "1 | Alba | 3", "2 | Bor | 4", "3 | Cal | 5").subject == -1


@pytest.mark.parametrize(
    "rows",
    [
        ("Alba | 1", "Bor | 2", "Total | 3"),
        ("Alba | 1", "Bor | 2", "Average | 1.5"),
        ("Alba | 1", "Bor | 2", "Other clubs | 30"),
        ("Alba | 1", "Bor | 2", "World | 30"),
        ("Everywhere | 60", "Alba | 10", "Bor | 20", "Cal | 30"),  # which adds up the others
        ("Alba | 1", "Bor | 2", "All the Things | 3"),  # the page's subject: the whole among its parts
        ("Alba | 1", "Bor | 2"),  # too short to ask about
    ],
)
def test_totals_and_stubs_make_no_sound_sheet(rows):
    assert not sheet("Club | Goals", *rows).sound


def test_a_dividing_row_makes_no_sound_sheet():
    rows = ("Alba | 1 | Xen", "North | North | North", "Bor | 2 | Yor", "Cal | 3 | Zen")
    assert not sheet("Club | Goals | City", *rows).sound


def test_what_changes_with_the_day_is_not_sound_unless_the_title_says_when():
    rows = ("Alba | 1", "Bor | 2", "Cal | 3")
    assert not sheet("Club | Goals", *rows, heading="Current members").sound
    assert sheet("Club | Goals", *rows, heading="Current members", title="2011 season").sound


@pytest.mark.parametrize(
    "header", ["Pos.", "No", "No.", "#", "Notes", "Ref.", "Current club", "Age", "W", "%", "2010", "Fee", ""]
)
def test_headers_without_words_give_no_noun_but_the_known_ones(header):
    found = noun(header)
    assert found is None or (header == "Pos." and found.one == "position")


def test_nouns():
    assert noun("Area (km²)").one == "area"
    assert noun("Director (s)").one == "director"
    assert noun("Names of town").one == "town"
    assert noun("Ivy League Championships", "Ivy League").one == "Ivy League championships"
    assert noun("Ivy League Championships", "Leagues").one == "ivy league championships"
    assert noun("Boiling points (°C)").one == "boiling point"
    assert noun("Olympic titles").one == "Olympic titles"
    assert noun("President served under") is None  # "whose president served under is" is no English
    assert [plural(word) for word in ("city", "church", "city or town", "country of origin")] == [
        "cities",
        "churches",
        "cities or towns",
        "countries of origin",
    ]
    assert row_noun("Name", ("List of airports in Chile",)).many == "airports"
    assert row_noun("Name", ("Something", "Alumni")).many == "alumni"
    assert row_noun("Name", ("Something",)).many == "entries"


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ("Area (km²)", "km²"),
        ("Elevation (ft)", "ft"),
        ("Density (g/cm³)", "g/cm³"),
        ("Campus (in square miles)", "square miles"),
        ("Votes (%)", "%"),
        ("Prize (US$)", "US$"),
        ("Budget (millions)", "million"),
        ("Gross (in thousands)", "thousand"),
        ("Revenue (€ million)", "€million"),
        ("Attendance (average)", ""),
        ("Population (total)", ""),
        ("Population (estimate)", ""),
        ("Area (Rank)", ""),
        ("Height (roof)", ""),
        ("Director (s)", ""),
        ("Population", ""),
    ],
)
def test_what_stands_in_brackets_is_a_unit_where_it_is_known_as_one(header, unit):
    assert header_unit(header) == unit


def stated(text: str, title: str = "Ann Lee") -> dict[str, str]:
    tables, _ = read_tables(text)
    return {one.relation: one.value.text for one in read_statements(text, bare_name(subject_of(title, text)), tables)}


def test_first_sentences():
    assert stated("Ann Lee (born October 22, 1978) is an actress.") == {"born": "October 22, 1978"}
    assert stated("Ann Lee (April 13, 1922 - July 22, 2003) was a scholar.") == {
        "born": "April 13, 1922",
        "died": "July 22, 2003",
    }
    assert stated("Moon is a 1925 film directed by Ann Lee and starring Bo.", "Moon")["director"] == "Ann Lee"
    assert stated("Alba is a town in Mineral County, Montana. The population was 420 at the 2010 census.", "Alba") == {
        "county": "Mineral County",
        "population at the 2010 census": "420",
    }


@pytest.mark.parametrize(
    "sentence",
    [
        "The electoral ward of Alba includes its surroundings and had a population of 1,753 at the 2011 census.",
        "The metropolitan area had a population of 17,530 at the 2011 census.",
    ],
)
def test_a_population_of_something_wider_is_not_the_subjects(sentence):
    assert stated(f"Alba is a town. {sentence}", "Alba") == {}
    assert stated("Alba is a town. It had a population of 1,753 at the 2011 census.", "Alba")


@pytest.mark.parametrize(
    ("lead", "stated_of_it"),
    [
        ("Alba Cathedral is a church in Essex. The tower was opened in 1950.", {}),
        ("Alba Cathedral is a church in Essex. The church was opened in 1950.", {"opened": "1950"}),
        ("Alba Cathedral is a church in Essex. The cathedral was opened in 1950.", {"opened": "1950"}),
        ("Alba is a large public hospital near Bor. The hospital was founded in 1931.", {"founded": "1931"}),
        ("Alba is a large public hospital near Bor. The nursing school was founded in 1931.", {}),
        ("Alba is a village. It was founded in 1931.", {"founded": "1931"}),
        ("Alba is an elevated railway station. The station was opened in 1931.", {"opened": "1931"}),
        ("Alba is one of the largest airports in Bor. The airport was opened in 1931.", {"opened": "1931"}),
        ("Alba is a mill listed in Bor. The mill was opened in 1931.", {"opened": "1931"}),
    ],
)
def test_the_date_of_a_part_is_not_that_of_the_whole(lead, stated_of_it):
    assert stated(lead, lead.partition(" is ")[0]) == stated_of_it


def test_the_birth_of_a_member_is_not_that_of_the_band():
    assert stated("Trio is a band of the sisters Ann Lee (born May 1, 1970) and Bea Lee.", "Trio") == {}


@pytest.mark.parametrize(
    "text",
    [
        "It (born 1975 or 1976) is an American singer.",
        "It (born 1978/1979) is an American singer.",
        "It (born 1984–85) is an American singer.",
        "It (born 1984?) is an American singer.",
        "It was built in 1950 and 1951.",
        "It was opened in 1950, 1960 and 1970.",
        "It is a 2006 film directed by Jill Culton, Roger Allers and Anthony Stacchi.",
        "It is a film directed by Ann Lee with Bo Ray.",
        "It is a song by Rihanna featuring Jay-Z.",
        "It is a song by Madonna and Justin Timberlake.",
        "It is a song by Alice in Chains, written by Jerry Cantrell.",
        "It is an album by Neil Young, Crosby and Nash.",
        "It is a novel by Plato and Neil Gaiman.",
        "It is a novel by British author J.K.",
        "It is a novel by Wm. Shak. Ray and others.",
        "It is a man who played college football at Texas, Oklahoma and Baylor.",
        "It is a company based in Paris and London.",
        "It is a company based in Paris, London and Rome.",
        "It was born in Paris and London.",
    ],
)
def test_one_of_several_and_half_a_name_are_no_value(text):
    assert set(stated(text, "It")) <= {"year of release"}


@pytest.mark.parametrize(
    ("text", "relation", "value"),
    [
        ("It is a fantasy novel written by British author J.K. Rowling.", "author", "J.K. Rowling"),
        ("It is a novel by E. L. Ray, published in 1950.", "author", "E. L. Ray"),
        ("It is a novel by Daphne du Maurier.", "author", "Daphne du Maurier"),
        ("It is a song by Band of Horses.", "artist", "Band of Horses"),
        ("It is a song by Prince from the album Purple Rain.", "artist", "Prince"),
        ("It is a song by Cher released in June.", "artist", "Cher"),
        ("It is an album by the English rock band the Beatles, recorded in 1970.", "artist", "Beatles"),
        ("It is an album by the Beatles.", "artist", "Beatles"),
        ("It is an album by American singer and songwriter Prince.", "artist", "Prince"),
        ("It is a song by American singer Prince.", "artist", "Prince"),
        ("It is a song recorded by the French duo Air for their album.", "artist", "Air"),
        ("It is a film directed by Ann Lee and starring Bo Ray.", "director", "Ann Lee"),
        ("It (born May 3, 1975) is a singer.", "born", "May 3, 1975"),
        ("It was built in 1950 and in 1960 it was sold.", "built", "1950"),
        ("It is a company based in Paris, France, and was sold.", "base", "Paris, France"),
        ("It is a team based in Tacoma, Washington, United States.", "base", "Tacoma, Washington"),
        ("It is a man who played college football at Texas, where he ran.", "college football", "Texas"),
    ],
)
def test_what_follows_a_value_may_be_more_of_the_sentence(text, relation, value):
    assert stated(text, "It")[relation] == value


def test_two_values_for_one_relation_are_none():
    assert "founded" not in stated("The club was founded in 1900. The club was founded in 1901.", "The club")


def test_lines_and_properties_and_their_places():
    text = "# Fiji: data sheet\n\n- **Capital:** [Suva](https://t.test/suva)\n\n| Property | Value |\n|---|---|\n| Area | 18,270 km² |\n"
    tables, _ = read_tables(text)
    found = read_statements(text, "Fiji", tables)
    assert {one.relation: text[one.start : one.end] for one in found} == {
        "Capital": "[Suva](https://t.test/suva)",
        "Area": "18,270 km²",
    }
    assert bare_name(subject_of("x", text)) == "Fiji"


def test_chinese_prose():
    found = {relation: said for relation, _, said, _ in chinese_statements("段祺瑞，字芝泉，安徽合肥人。", "段祺瑞")}
    assert found == {"表字": "芝泉"}
    text = "永平省，位于北部。永平省下辖周城、冈隆和隆全。"
    [(relation, kind, said, place)] = [one for one in chinese_statements(text, "永平省") if one[1] == "several"]
    assert (relation, kind) == ("下辖", "several")
    assert text[place : place + len(said)] == said
    assert chinese_members(said) == ["周城", "冈隆", "隆全"]
    assert not [one for one in chinese_statements("永平省下辖周城、冈隆和隆全等地。", "永平省") if one[1] == "several"]
