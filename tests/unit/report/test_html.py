"""The HTML report, without a browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re

from heap_exporter.model import Step, StepKind
from heap_exporter.report import html
from tests.heaps import trees
from tests.heaps.trees import Branch

EVIL = "</script><!--<script><img src=x onerror=alert(1)>\"'&$version"


def parts(page: str, tag: str) -> list[str]:
    return re.findall(rf"<{tag}(?:\s[^>]*)?>(.*?)</{tag}>", page, re.DOTALL)


def hash_of(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def evil_page() -> str:
    after = trees.heap(
        Branch("", below=(Branch(EVIL, EVIL, 3, 100, (Branch(EVIL, EVIL, 3, 100),)),)), EVIL, reason=EVIL
    )
    step = Step(StepKind.MODULE, "", EVIL)
    suspect = trees.suspect(type_name=EVIL, holder=(step,), path=(step,), fingerprint=EVIL)
    return html.render(trees.diff(trees.heap(Branch(""), EVIL), after, [suspect]))


def test_no_name_becomes_markup() -> None:
    page = evil_page()

    assert "<img" not in page
    assert "<!--" not in page
    assert page.count("<script") == page.count("</script>") == 2
    assert page.count("&lt;img src=x onerror=alert(1)&gt;&quot;&#x27;&amp;$version") >= 8


def test_names_in_the_embedded_data_are_unchanged() -> None:
    data = json.loads(parts(evil_page(), "script")[0])

    assert EVIL in data["names"]


def test_the_policy_allows_only_the_script_and_style_of_the_page() -> None:
    page = evil_page()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy

    assert "default-src 'none'" in policy[1]
    assert f"script-src {hash_of(parts(page, 'script')[1])};" in policy[1]
    assert f"style-src {hash_of(parts(page, 'style')[0])};" in policy[1]
    assert "unsafe" not in policy[1]
    assert " style=" not in page  # the policy blocks it
    assert not re.search(r"\son[a-z]+=\"", page)


def test_very_long_names_do_not_make_the_page_too_large() -> None:
    below = tuple(Branch(f"{i}" + "é&<" * 1300, f"{i:x}" + "\"'" * 2000, i + 1, 10) for i in range(3000))
    page = html.render(trees.diff(trees.heap(Branch("")), trees.heap(Branch("", below=below))))

    assert len(page.encode()) <= html.MAX_BYTES
    assert "smaller groups are combined" in page


def test_an_empty_heap_has_a_page() -> None:
    empty = trees.heap(Branch(""))

    assert "0 objects, 0 B" in html.render(empty)
    assert "no leak suspect found" in html.render(trees.diff(empty, empty))


def test_a_suspect_is_three_lines_and_its_numbers_are_behind_a_fold() -> None:
    found = trees.diff(trees.heap(trees.shop(1)), trees.heap(trees.shop(9)), [trees.suspect()])
    (suspect,) = parts(html.render(found).partition('id="suspects">')[2].partition("</ol>")[0], "li")

    shown, _, folded = suspect.partition("<details>")
    assert shown.count("<p") == 3
    assert "<code>Session</code> objects are accumulating: " in shown
    assert "Held by <code>shop.sessions.SESSIONS</code>" in shown
    assert trees.suspect().fingerprint in folded
