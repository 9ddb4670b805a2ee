"""The window as a person with a browser uses it, and as a stranger's page would like to misuse it.

What a request gets is asked over a real socket; what a person sees and does, in headless Chromium, by keyboard alone.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
from lxml import html as parser
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from lite.world import World

SITE = "https://lab.test/"
HOSTILE = """# <script>document.title = 'taken'</script>

Hostile <script>alert(1)</script> text </textarea></title></style></pre><script>alert(2)</script>
<img src=x onerror=alert(3)> <svg onload=alert(4)> <iframe src="javascript:alert(5)"></iframe>

[click](javascript:alert(6)) [data](data:text/html,<script>alert(7)</script>) ![p](data:image/svg+xml,<svg/onload=alert(8)>)
![out](https://evil.test/track.png) [q" onmouseover="alert(9)](https://lab.test/radium) <javascript:alert(10)>
[radium](https://lab.test/radium "\\" autofocus onfocus=\\"alert(11)")

| `</code><script>alert(12)</script>` | {{ 7*7 }} {% raw %} |
|---|:-:|
| <b>bold</b> | \x1b[31m |
"""
RADIUM = """Radium is an element. Its neighbour is [polonium](https://lab.test/polonium), and it glows.

## Discovery

Marie and Pierre Curie discovered radium in 1898 in ore from Jáchymov.

## Use

Watches had hands painted with it. More is said [elsewhere](https://other.test/nowhere).
"""
LONG = "\n\n".join(
    f"## Section {n}\n\nThe value of section {n} is {n * n}, says [radium]({SITE}radium)." for n in range(2000)
)
MANY = "\n".join(f"- [link {n}]({SITE}{'radium' if n % 2 else f'nowhere{n}'})" for n in range(10_000))
PAGES = {
    "radium": ("Radium", RADIUM),
    "polonium": ("Polonium", f"Polonium is named after Poland. Back to [radium]({SITE}radium)."),
    "polonium-again": ("Polonium", f"Polonium is named after Poland. Back to [radium]({SITE}radium)."),
    **{f"{'a-long-address-' * 9}{n}": ("Twice", "This text stands in the world two times.") for n in range(2)},
    "hostile": ("<script>alert('title')</script>", HOSTILE),
    "long": ("A long page", LONG),
    "many": ("Ten thousand links", MANY),
    "vast": ("A vast page", "The same sentence again, for a very long time, until the page is vast. " * 45_000),
    "袋鼠": ("袋鼠", "袋鼠是澳洲的动物。"),
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A window on a small world, served by a process of its own, which must stop quietly in the end."""
    folder = tmp_path_factory.mktemp("window")
    lines = [{"url": SITE + name, "title": title, "doc": text} for name, (title, text) in PAGES.items()]
    lines += [
        {"url": "https://city.test/paris", "title": "Paris", "doc": "Paris is the capital of France."},
        {"url": 5},
    ]
    lines += [{"url": f"https://rows.test/{n:03}", "title": f"Row {n}", "doc": f"Row {n}."} for n in range(450)]
    source = folder / "pages.jsonl"
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    World.build(source, folder / "laboratory", date="2024-05-06").close()
    code = (
        "import sys; from lite.serve.ui import show; show(sys.argv[1], port=0, ready=lambda at: print(at, flush=True))"
    )
    command = [sys.executable, "-c", code, str(folder / "laboratory")]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert server.stdout
    told = server.stdout.readline().strip()
    assert told, server.communicate()[1]
    yield told
    server.terminate()
    assert server.communicate(timeout=60)[1] == ""


Get = Callable[..., Any]


@pytest.fixture(scope="module")
def get(address: str) -> Iterator[Get]:
    """`get("/page", url=...)`: the answer, as a tree; its status and policy are looked at on the way."""
    with httpx.Client(base_url=address, timeout=60) as client:

        def one(path: str, status: int = 200, **parameters: object) -> Any:
            answer = client.get(path, params={name: str(value) for name, value in parameters.items()} or None)
            assert answer.status_code == status, answer.text
            assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
            assert answer.headers["x-content-type-options"] == "nosniff"
            return parser.fromstring(answer.text)

        yield one


def words(node: Any, path: str = "//main") -> str:
    return " ".join(" ".join(each.text_content() for each in node.xpath(path)).split())


def links_of(node: Any, path: str = "//main") -> dict[str, str]:
    return {" ".join(a.text_content().split()): a.get("href") for a in node.xpath(f"{path}//a")}


def reader(name: str) -> str:
    return f"/page?url={quote(SITE + name, safe='')}"


# ---------------------------------------------------------------- what a request gets


def test_home_says_what_world_it_is(get: Get):
    page = get("/")
    assert "laboratory" in words(page, "//h1")
    assert "459 pages from 3 sites" in words(page)
    begin = links_of(page, "//section[h2='Somewhere to begin']")
    assert len(begin) == 6
    assert all(words(get(href), "//h1") == title for title, href in begin.items())
    assert page.xpath("//input[@name='q'][@autofocus]")


def test_search_shows_hits_and_the_mode_that_ran(get: Get):
    page = get("/", q="who discovered radium", k=5)
    assert page.xpath("//ol[@class='hits']//h2/a")[0].text_content() == "Radium"
    assert "discovered radium in 1898" in words(page, "//ol[@class='hits']/li[1]")
    assert "lexical search" in words(page)
    assert {mark.text for mark in page.xpath("//mark")} >= {"discovered", "radium"}
    assert "A Google search for 'who discovered radium' found" in words(page, "//pre")
    assert page.xpath("//select[@name='k']/option[@selected]")[0].text == "5"


def test_an_exact_phrase_is_a_mode_of_its_own(get: Get):
    page = get("/", q="discovered radium in 1898", mode="phrase")
    assert "phrase search" in words(page)
    assert page.xpath("//select[@name='mode']/option[@selected]")[0].text == "exact phrase"
    assert page.xpath("//ol[@class='hits']/li")
    page = get("/", q="1898 in discovered", mode="phrase")
    assert "one after the other" in words(page)
    assert links_of(page)["Look for the words by themselves"] == "/?q=1898%20in%20discovered"


@pytest.mark.parametrize(
    "query", ["<script>alert(1)</script>", '"><b>', "😀", "((((", "x" * 2000, "\x00\u202e", "袋鼠"]
)
def test_any_text_is_a_query(get: Get, query: str):
    assert not get("/", q=query).xpath("//script | //main//b")


def test_nothing_found_is_said(get: Get):
    assert "no word" in words(get("/", q="?!"))
    assert "None of its words" in words(get("/", q="zzzz"))


def test_the_agents_view_is_what_the_agent_gets(get: Get):
    page = get("/page", url=SITE + "radium", goal="year of discovery", words=20)
    assert "1898" in words(page, "//section[h2='Summary']")
    assert "Watches" not in words(page, "//div[@class='prose']")
    given = page.xpath("//pre")[0].text.lstrip()
    assert given.startswith("<tool_response>\nThe useful information in https://lab.test/radium for user goal year")
    assert page.xpath("//input[@name='goal']/@value") == ["year of discovery"]


def test_a_hit_is_read_with_the_query_as_goal(get: Get):
    found = get("/", q="polonium named after")
    page = get(links_of(found)["Polonium"])
    assert page.xpath("//input[@name='goal']/@value") == ["polonium named after"]
    assert links_of(page)["← Results for polonium named after"].startswith("/?q=polonium")


def test_links_within_the_world_lead_on_and_others_do_not(get: Get):
    first = get("/page", url=SITE + "radium")
    page = get(links_of(first, "//nav[@class='tabs']")["Whole page"])
    assert links_of(page, "//article")["polonium"] == reader("polonium") + "&view=whole"
    outside = page.xpath("//article//span[@class='out']")
    assert [(each.text, each.get("title")) for each in outside] == [
        ("elsewhere", "https://other.test/nowhere: not here")
    ]
    listed = get("/page", url=SITE + "radium", view="links")
    assert "https://other.test/nowhere" in words(listed, "//section[@aria-labelledby='out']")
    assert "https://lab.test/polonium" in words(listed, "//section[@aria-labelledby='from']")


def test_an_alias_leads_to_its_page(get: Get):
    page = get("/page", url=SITE + "polonium-again")
    assert "You asked for https://lab.test/polonium-again" in words(page)
    assert words(page, "//p[@class='url']") == SITE + "polonium"
    assert "https://lab.test/polonium-again" in words(page, "//aside")


def test_an_unknown_page_names_the_nearest(get: Get):
    page = get("/page", 404, url=SITE + "poloniun")
    assert "Not in this world" in words(page)
    near = get("/page", 404, url="https://lab.test/wiki/Polonium_(element)")
    assert links_of(near)["Polonium"] == reader("polonium")


def test_the_world_page_counts(get: Get):
    page = get("/world")
    text = words(page)
    for told in ("459 pages", "3 sites", "2 further addresses", "2024-05-06", "lexical only", "pages.jsonl"):
        assert told in text
    assert words(page, "//table[contains(., 'Reason')]//td[2]") == "1"
    assert "Polonium" in words(page, "//section[@aria-labelledby='duplicates']")
    site = get(links_of(page)["city.test"])
    assert links_of(site)["Paris"] == f"/page?url={quote('https://city.test/paris', safe='')}"


def test_a_large_site_is_listed_in_steps(get: Get):
    page = get("/site", name="https://rows.test")
    rows = list(links_of(page, "//ul"))
    while following := page.xpath("//a[@rel='next']"):
        page = get(following[0].get("href"))
        rows += links_of(page, "//ul")
    assert rows == [f"Row {n}" for n in range(450)]


@pytest.mark.parametrize("view", ["whole", "source", "links", "agent"])
def test_long_pages_are_bounded_and_say_so(get: Get, view: str):
    page = get("/page", url=SITE + "many", view=view)
    assert len(parser.tostring(page)) < 500_000
    assert view == "agent" or "shown" in words(page)


def test_the_parts_of_a_page_are_the_page(get: Get):
    last = get("/page", url=SITE + "long", view="source")
    texts = [last.xpath("//pre")[0].text]
    while following := last.xpath("//a[@rel='next']"):
        last = get(following[0].get("href"))
        texts.append(last.xpath("//pre")[0].text)
    assert len(texts) > 1
    assert "".join(text.removeprefix("\n") for text in texts) == LONG  # HTML drops a line break after <pre>


def test_a_vast_page_is_read_when_that_is_asked_for(get: Get):
    assert "has to be asked for" in words(get("/page", url=SITE + "vast"))
    assert "The same sentence again" in words(get("/page", url=SITE + "vast", goal=""), "//div[@class='prose']")


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/nowhere", 404, "Not Found"),
        ("/?q=x&k=1000", 400, "whole number from 1 to 100"),
        ("/?q=x&k=²", 400, "whole number"),
        ("/?q=x&mode=dense", 400, "no vectors"),
        ("/?q=x&mode=best", 400, "no search mode is called"),
        ("/?q=" + "x" * 3000, 400, "3,000 characters"),
        (reader("radium") + "&part=2&view=whole", 400, "whole number from 1 to 1"),
        (reader("radium") + "&view=evil", 400, "no view of a page"),
        ("/page", 404, "No address was given"),
        ("/page?url=%ff%00", 404, "No page of this world"),
        ("/site?name=https://evil.test", 404, "no page of this world is from"),
    ],
)
def test_errors_are_pages_too(get: Get, path: str, status: int, told: str):
    assert told in words(get(path, status))


def test_only_reading_is_possible(address: str):
    assert httpx.post(address, data={"q": "x"}).status_code == 405


@pytest.mark.parametrize("headers", [{"Host": "evil.test"}, {"Origin": "https://evil.test"}, {"Origin": "null"}])
def test_strangers_are_refused(address: str, headers: dict[str, str]):
    assert httpx.get(address, headers=headers).status_code == 403


def test_localhost_is_no_stranger(address: str):
    port = urlsplit(address).port
    for host in (f"localhost:{port}", f"[::1]:{port}", f"127.0.0.1:{port}"):
        assert httpx.get(address, headers={"Host": host}).status_code == 200


# ---------------------------------------------------------------- what a person sees and does


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("there is no Chromium here (Debian, Ubuntu: apt install chromium chromium-driver)")
    driver = shutil.which("chromedriver") or pytest.fail(f"{chromium} without a chromedriver: install chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    quiet = "headless=new no-sandbox disable-gpu disable-quic no-first-run disable-background-networking"
    for switch in (*quiet.split(), "disable-component-update", "disable-sync"):
        options.add_argument(f"--{switch}")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('chromium')}")
    window = webdriver.Chrome(options=options, service=Service(driver))
    yield window
    window.quit()


def press(browser: webdriver.Chrome, *keys: str) -> None:
    webdriver.ActionChains(browser).send_keys(*keys).perform()


def tab_to(browser: webdriver.Chrome, selector: str) -> None:
    """Press Tab until an element that fits `selector` has the focus. Every stop on the way must be seen to have it."""
    look = """const at = document.activeElement, box = at.getBoundingClientRect(), style = getComputedStyle(at);
              const shown = box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth;
              return [at.matches(arguments[0]), shown && style.outlineStyle != 'none', at.outerHTML.slice(0, 200)]"""
    for _ in range(40):
        press(browser, Keys.TAB)
        there, seen, what = browser.execute_script(look, selector)
        assert seen, f"nothing shows that {what} has the focus"
        if there:
            return
    pytest.fail(f"40 times Tab do not lead to {selector}")


def wait_for(browser: webdriver.Chrome, title: str) -> None:
    WebDriverWait(browser, 30).until(lambda window: window.title.startswith(title))


def text_of(browser: webdriver.Chrome, selector: str) -> str:
    return browser.find_element("css selector", selector).text


def test_search_read_and_follow_by_keyboard_alone(browser: webdriver.Chrome, address: str):
    browser.get(address)
    press(browser, "discovery of radium", Keys.ENTER)
    wait_for(browser, "discovery of radium")
    tab_to(browser, "a.skip")
    press(browser, Keys.ENTER)
    assert browser.execute_script("return document.activeElement.id") == "main"
    tab_to(browser, ".hits li:first-child a")
    press(browser, Keys.ENTER)
    wait_for(browser, "Radium")
    tab_to(browser, "#goal")
    webdriver.ActionChains(browser).key_down(Keys.CONTROL).send_keys("a").key_up(Keys.CONTROL).perform()
    press(browser, "painted watches", Keys.ENTER)
    WebDriverWait(browser, 30).until(lambda window: "goal=painted" in window.current_url)
    assert "Watches had hands painted with it" in text_of(browser, ".card")
    tab_to(browser, ".prose a")
    press(browser, Keys.ENTER)
    wait_for(browser, "Polonium")
    assert "Polonium is named after Poland" in text_of(browser, ".prose")


@pytest.mark.parametrize("view", ["agent", "whole", "source", "links"])
def test_nothing_of_a_page_runs(browser: webdriver.Chrome, address: str, view: str):
    browser.get_log("browser")
    attack = quote("\"'><script>alert(1)</script></textarea><img src=x onerror=alert(1)>")
    for path in (f"{reader('hostile')}&view={view}&goal={attack}&q={attack}", f"/?q=hostile+text{attack}"):
        browser.get(address + path)
        assert "alert(1)" in text_of(browser, "body")  # an open dialog would have raised here
        assert "taken" not in browser.title
        loaded = browser.execute_script("return performance.getEntriesByType('resource').map(each => each.name)")
        assert {urlsplit(each).path for each in loaded} <= {"/style.css", "/icon.svg"}
        assert all(each.startswith(address) for each in loaded)
    assert browser.get_log("browser") == []  # nothing was even tried: the policy had nothing to bar


LOOKS = ["/", "/?q=hostile+radium", reader("radium") + "&goal=discovery", reader("hostile") + "&view=whole"]
LOOKS += [reader("long") + "&view=whole", reader("many") + "&view=links", reader("nothing"), "/world", "/?q=x&k=0"]


def show(browser: webdriver.Chrome, address: str, path: str, *, width: int, scheme: str) -> None:
    size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(address + path)


FAINT = """
const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(v => v / 255).map(
    v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b };
const ground = e => { for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor; if (c != 'rgba(0, 0, 0, 0)') return c } };
const faint = new Set(), walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) { const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !e.checkVisibility()) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) faint.add(e.tagName + '.' + e.className + ' ' + walk.currentNode.data.slice(0, 40)) }
return [...faint]"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out_from_its_ground(browser: webdriver.Chrome, address: str, scheme: str):
    for path in LOOKS:
        show(browser, address, path, width=1280, scheme=scheme)
        assert browser.execute_script(FAINT) == [], path
    ground = browser.execute_script("return getComputedStyle(document.documentElement).backgroundColor")
    red = int(ground.partition("(")[2].partition(",")[0])
    assert red < 60 if scheme == "dark" else red > 200


def test_a_phone_shows_every_page_without_scrolling_sideways(browser: webdriver.Chrome, address: str):
    for path in LOOKS:
        show(browser, address, path, width=390, scheme="light")
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 390, path
