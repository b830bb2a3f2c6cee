"""All selectors at once find what each of them means by itself."""

import time

from hypothesis import given
from hypothesis import strategies as st

from server.cobrowse.matching import Matching
from server.cobrowse.rules import Level, Page
from server.cobrowse.selectors import Selector, read_selector
from server.cobrowse.shadow import Node
from tests.support.elements import element, stands

COMPOUNDS = ["*", "a", "b", "#i", "#j", ".x", ".y", ".x.y", "a.x", "b#i", "[n]", "[n='1']", "a[n='2'].y", "*.x"]
SELECTORS = st.lists(st.tuples(st.sampled_from(COMPOUNDS), st.sampled_from([" ", " > "])), min_size=1, max_size=4).map(
    lambda parts: "".join(between + compound for compound, between in parts).removeprefix(" > ").removeprefix(" ")
)
LOOKS = st.tuples(
    st.sampled_from(["", "a", "b", "c"]),
    st.fixed_dictionaries(
        {},
        optional={
            "id": st.sampled_from(["", "i", "j"]),
            "class": st.sampled_from(["", "x", "y", "x y", " y  x "]),
            "n": st.sampled_from(["", "1", "2"]),
        },
    ),
)


def means(selector: Selector, node: Node) -> bool:
    """What a selector is, by climbing."""

    def above(node: Node, index: int) -> bool:
        if index == len(selector.before):
            return True
        direct, compound = selector.before[index]
        one = node.above
        while one is not None:
            if compound.fits(one) and above(one, index + 1):
                return True
            one = None if direct else one.above
        return False

    return selector.last.fits(node) and above(node, 0)


@given(st.lists(SELECTORS, max_size=3), st.lists(SELECTORS, max_size=3), st.lists(SELECTORS, max_size=3), st.lists(SELECTORS, max_size=3), st.lists(LOOKS, min_size=1, max_size=7))  # fmt: skip
def test_it_finds_what_each_selector_means(
    show: list[str], values: list[str], mask: list[str], block: list[str], looks: list[tuple[str, dict[str, str]]]
) -> None:
    page = Page(
        name="page",
        show=tuple(map(read_selector, show)),
        values=tuple(map(read_selector, values)),
        mask=tuple(map(read_selector, mask)),
        block=tuple(map(read_selector, block)),
    )
    matching, node = Matching(page), None
    for tag, attributes in looks:
        node = element(tag, node, attributes)
        here, _ = stands(matching, node)
        assert (here & matching.values != 0) is any(means(one, node) for one in page.values)
        for above in Level:
            assert matching.level(here, above) is level(page, node, above)


def level(page: Page, node: Node, above: Level) -> Level:
    if above <= Level.BLOCKED:
        return Level.GONE
    if any(means(one, node) for one in page.block):
        return Level.BLOCKED
    if above is Level.SEALED or any(means(one, node) for one in page.mask):
        return Level.SEALED
    if above is Level.SHOWN or any(means(one, node) for one in page.show):
        return Level.SHOWN
    return Level.MASKED


def test_how_deep_a_page_nests_costs_nothing() -> None:
    """Climbing would try 600 to the power of 7 ways."""
    page = Page(name="page", values=tuple(read_selector("#no b b b b b b b") for _ in range(200)))
    matching, node, before = Matching(page), element("b"), (0, 0)
    begun = time.process_time()
    for _ in range(600):
        fits = matching.fits(node)
        here = matching.here(fits, *before)
        before = here, before[1] | here
        node = element("b", node, {"class": "x"})
    assert before[0] & matching.values == 0
    assert time.process_time() - begun < 30
