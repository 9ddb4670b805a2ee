"""Recompute the answers of tasks from the raw pages with another program: pandas, and none of our own code.

    python dev/recompute_tasks.py TASKS.jsonl PAGES.jsonl.zst [--sample 200] [--seed 0]

It reads the pages file itself, cuts tables out of the Markdown by its own rules, lets pandas type and filter them, and
carries the derivation out on data frames. Needs pandas and zstandard; what it cannot do it counts as skipped.
"""

import argparse
import io
import json
import random
import re
import sys
import unicodedata
from datetime import datetime

import pandas as pd
import zstandard

LINK = re.compile(r"\[([^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*)\]\(((?:[^()\s]|\([^()\s]*\))+)\)")


class Skip(Exception):
    """This program has no way to carry the derivation out."""


def read_pages(path):
    """URL -> text. Equal texts are one page under several URLs."""
    pages = {}
    with open(path, "rb") as raw:
        for line in io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(raw), encoding="utf-8"):
            page = json.loads(line)
            pages[page["url"]] = sys.intern(page["doc"])
    return pages


def plain(text):
    text = LINK.sub(r"\1", text)
    text = re.sub(r"\[(?:\d+|[a-z]|note \d+)\]", "", text)
    return re.sub(r"\s+", " ", text).strip().strip("†‡*#^ ")


def fold(text):
    text = unicodedata.normalize("NFKD", str(text)).casefold()
    text = "".join(c for c in text if not unicodedata.combining(c))
    words = re.findall(r"[^\W_]+", text)
    return tuple(words[1:] if len(words) > 1 and words[0] in ("the", "a", "an") else words)


def number(text):
    """The number at the head of a cell, units and conversions left aside."""
    found = re.match(r"^(?:[^\d\s-]{0,3})\s?(-?\d[\d,]*(?:\.\d+)?)", (text or "").replace("\u2212", "-"))
    return float(found[1].replace(",", "")) if found else None


def day(text):
    for form in ("%B %d, %Y", "%d %B %Y", "%Y-%m-%d", "%b %d, %Y", "%d %b %Y", "%d %b. %Y", "%b. %d, %Y"):
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    return None


class Pages:
    def __init__(self, pages):
        self.pages = pages

    def frame(self, url, nth):
        """The nth table of a page: `text` and `link` frames."""
        blocks = re.findall(r"(?:^\|.*(?:\n|$))+", self.pages[url], re.MULTILINE)
        rows = [re.split(r"(?<!\\)\|", line.strip())[1:-1] for line in blocks[nth].strip().split("\n")]
        header = [plain(cell) for cell in rows[0]]
        raw = pd.DataFrame(rows[2:], columns=header)
        return raw.map(lambda cell: plain(cell)), raw.map(lambda cell: (LINK.findall(cell) or [("", "")])[0][1])

    def one(self, url):
        """What is the same for all the URLs of a page."""
        return self.pages.get(url, url)

    def stated(self, url, relation):
        """A statement, found anew: by a wider search of the page's text for the wording."""
        text = self.pages[url]
        line = re.search(rf"\*\*{re.escape(relation)}:?\*\*:?\s+(.+)", text) or re.search(
            rf"^\|\s*{re.escape(relation)}\s*\|\s*(.+?)\s*\|\s*$", text, re.MULTILINE
        )
        if line:
            return plain(line[1])
        lead = text[:900]
        months = "January|February|March|April|May|June|July|August|September|October|November|December"
        date = rf"(?:(?:{months}) \d+, \d{{4}}|\d+ (?:{months}) \d{{4}})"
        if relation == "born":
            bracket = re.search(r"\(([^()]*(?:\([^()]*\)[^()]*)*)\)", lead)
            found = re.findall(rf"{date}|\b\d{{4}}\b", bracket[1]) if bracket else []
            return found[0] if found else None
        if relation == "died":
            bracket = next((part for part in re.findall(r"\([^()]*\)", lead) if len(re.findall(date, part)) > 1), "")
            found = re.findall(date, bracket)
            return found[1] if len(found) > 1 else None
        if relation.startswith("population at the "):
            year = relation.split()[3]
            found = re.findall(rf"([\d,]+) (?:at|in|as of|according to|by) the {year} census", lead)
            return found[0] if found else None
        verbs = "founded|established|formed|incorporated|built|constructed|opened|completed|launched|created"
        if relation in verbs.split("|"):
            found = re.findall(rf"{relation} (?:on|in) ({date}|(?:(?:{months}) )?\d{{4}})", lead)
            return found[0] if found else None
        simple = {
            "director": r"directed by ([A-Z][\w.'’-]+(?: [A-Z][\w.'’-]+)*)",
            "year of release": r"is an? (\d{4})",
            "county": r"in (?:[a-z]+ )?([A-Z]\w+(?: [A-Z]\w+)* County)",
            "listed": r"National Register of Historic Places (?:in|on) (\d{4}|" + date + ")",
            "birthplace": r"[Bb]orn in ([^.]+?)(?:\.|, (?:he|she|and)| and)",
        }
        if relation in simple:
            found = re.search(simple[relation], lead)
            return found[1] if found else None
        raise Skip(relation)


def rows(node, pages):
    text, link = pages.frame(*node["table"])
    mask = pd.Series(True, index=text.index)
    for column, how, what in node["where"]:
        if isinstance(column, list):
            values = link.loc[mask, column[1]].map(lambda url: pages.stated(url, column[2]) or "")
            good = values.map(lambda v: bool(v) and compare(v, how, what))
        elif isinstance(what, dict):
            target, target_links = value(what, pages)
            good = text.loc[mask, column].map(lambda v: fold(v) == fold(target[0])) | link.loc[mask, column].map(
                lambda v: bool(v) and pages.one(v) == pages.one(target_links[0])
            )
        else:
            good = text.loc[mask, column].map(lambda v: compare(v, how, what))
        mask &= good.reindex(text.index, fill_value=False)
    return text[mask], link[mask]


def compare(said, how, what):
    if how == "is":
        return fold(said) == fold(what)
    years = re.findall(r"\b\d{4}\b", said)
    if how == "in":
        return bool(years) and float(years[-1] if not re.match(r"\d{4}-", said) else years[0]) == float(what)
    n = number(said)
    return n is not None and (n > float(what) if how == ">" else n < float(what))


def value(node, pages):
    """(texts, links) or a number."""
    op = node["op"]
    if op == "find":
        text, link = rows(node, pages)
        return list(text[node["get"]]), list(link[node["get"]])
    if op == "fact":
        url = node["page"] if isinstance(node["page"], str) else value(node["page"], pages)[1][0]
        said = pages.stated(url, node["relation"])
        return [said], [""]
    if op in ("list", "count"):
        found = {fold(v): v for v in value(node["of"], pages)[0]}
        return (list(found.values()), []) if op == "list" else float(len(found))
    if op in ("sum", "mean", "difference", "ratio"):
        parts = node["of"] if isinstance(node["of"], list) else [node["of"]]
        series = pd.Series([number(v) for part in parts for v in value(part, pages)[0]], dtype=float)
        if op == "sum":
            return series.sum()
        if op == "mean":
            return series.mean()
        return abs(series[0] - series[1]) if op == "difference" else series[0] / series[1]
    if op in ("most", "least", "rank"):
        text, link = rows(node["of"], pages)
        by = node["by"]
        said = text[by] if isinstance(by, str) else link[by[1]].map(lambda url: pages.stated(url, by[2]) or "")
        keys = said.map(lambda v: day(v).timestamp() if day(v) else number(v)).astype(float)
        order = keys.sort_values(ascending=op == "least").index
        return [text.loc[order[node.get("n", 1) - 1], node["of"]["get"]]], [""]
    if op == "meet":
        sets = [value(part, pages) for part in node["of"]]
        frames = [pd.DataFrame({"text": t, "link": l}) for t, l in sets]
        names = [set(map(fold, frame["text"])) for frame in frames]
        links = [{pages.one(link) for link in frame["link"] if link} for frame in frames]
        found = [t for t, l in zip(*sets[0]) if fold(t) in names[1] or (l and pages.one(l) in links[1])]
        return found, [""] * len(found)
    if op in ("agree", "newer", "official"):
        return value(node["of"][0 if op == "agree" else 1], pages)
    raise Skip(op)


def same(task, found):
    said = task["answers"]
    if isinstance(found, float):
        tolerance = max(0.006, abs(found) * (task.get("tolerance") or 1e-9))
        return any(number(a) is not None and abs(number(a) - found) <= tolerance for a in said)
    texts = found[0]
    if task.get("answer_type") == "list":
        return {fold(m) for m in said[0].split("; ")} == {fold(t) for t in texts}
    one = {fold(t) for t in texts}
    if len(one) > 1:
        return False
    if any(fold(a) in one for a in said):
        return True
    return bool(texts) and any(number(a) is not None and number(a) == number(texts[0]) for a in said)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tasks")
    parser.add_argument("pages")
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with open(options.tasks, encoding="utf-8") as lines:
        tasks = [json.loads(line) for line in lines]
    tasks = random.Random(options.seed).sample(tasks, min(options.sample, len(tasks)))
    pages = Pages(read_pages(options.pages))
    agree, skipped, differ = 0, 0, []
    for task in tasks:
        try:
            found = value(task["derivation"], pages)
        except Skip as reason:
            skipped += 1
            print("skipped:", reason, file=sys.stderr)
            continue
        except Exception as error:
            found = ([f"{type(error).__name__}: {error}"], [""])
        if same(task, found):
            agree += 1
        else:
            differ.append((task, found))
    for task, found in differ:
        print(
            f"DIFFERS {task['question']}\n   task {task['answers']}  here {found}\n   {json.dumps(task['derivation'])}"
        )
    print(f"{agree} of {len(tasks)} agree, {len(differ)} differ, {skipped} skipped")


if __name__ == "__main__":
    main()
