"""Nothing that comes holds a share's turn for long, and nothing of a page stays when it has gone."""

import gc
import itertools

import pytest

from server.cobrowse.net import MASK
from server.cobrowse.nodes import Limits
from server.cobrowse.sanitiser import Sanitiser
from server.cobrowse.shadow import Look, Node, Shadow
from tests.support.pages import Json, Recorder, added, happens, mutation, nodes_of
from tests.support.shared_page import STYLES, Share


def pauses_of(sanitiser: Sanitiser, raw: bytes) -> int:
    return sum(1 for _ in sanitiser.steps(raw))


def changed(node: Json, **attributes: object) -> Json:
    return {
        "id": node["id"],
        "attributes": {name if name[0] == "_" else name.replace("_", "-"): value for name, value in attributes.items()},
    }


def test_every_kind_of_change_pauses() -> None:
    page = Recorder()
    page.put(*(page.element("p", {}, "x") for _ in range(50)))
    share = Share(page, Limits(slice=10))
    paragraphs = page.body["childNodes"]
    for lists in (
        {"texts": [{"id": one["childNodes"][0]["id"], "value": "y"} for one in paragraphs]},
        {"attributes": [changed(one, lang="zh") for one in paragraphs]},
        {"adds": [added(page.body, page.element("i")) for _ in paragraphs]},
        {"adds": [added(page.body, page.element("div", {}, *(page.element("i") for _ in paragraphs)))]},
        {"removes": [{"parentId": page.body["id"], "id": one["id"]} for one in paragraphs]},
    ):
        assert pauses_of(share.sanitiser, mutation(**lists)) >= 4


def test_css_that_is_new_pauses_by_its_length() -> None:
    page = Recorder()
    share = Share(page, Limits(slice=200))
    boxes = [page.element("p", {"style": f"width:calc({number}px + 1em)"}) for number in range(100)]
    assert pauses_of(share.sanitiser, mutation(adds=[added(page.body, page.element("div", {}, *boxes))])) >= 100 * 20 // 200


def test_long_words_pause_by_their_length() -> None:
    page = Recorder()
    share = Share(page, Limits(slice=200))
    texts = [page.element("p", {"class": "shown"}, f"{number} 3 3 words " * 100) for number in range(50)]
    assert pauses_of(share.sanitiser, mutation(adds=[added(page.body, page.element("div", {}, *texts))])) >= 40


def test_a_long_sheet_is_read_with_pauses_wherever_it_comes() -> None:
    page = Recorder()
    sheets = [f".a-{number}{{color:red}}" * 100 for number in range(5)]
    style, link = page.element("style", {}, sheets[0]), page.element("link", {"_cssText": sheets[1]})
    share = Share(Recorder().put())
    share.recorder = page.put(style, link)
    steps = share.sanitiser.steps(page.picture())
    pauses = 0
    while True:
        try:
            next(steps)
        except StopIteration as done:
            share.picture = done.value
            break
        pauses += 1
    assert pauses >= 2 * 100 * 16 // 420
    assert share.of(style)["childNodes"][0]["textContent"] == STYLES.sheet(sheets[0]) != ""
    assert share.of(link)["attributes"]["_cssText"] == STYLES.sheet(sheets[1]) != ""
    text = style["childNodes"][0]["id"]
    assert share.left(mutation(texts=[{"id": text, "value": sheets[2]}]))["texts"][0]["value"] == STYLES.sheet(sheets[2])  # type: ignore[index]
    left = share.left(mutation(attributes=[changed(link, _cssText=sheets[3])]))
    assert left is not None
    assert left["attributes"][0]["attributes"] == {"_cssText": STYLES.sheet(sheets[3])}
    assert share.left(happens(8, styleId=1, replaceSync=sheets[4])) == {
        "source": 8,
        "styleId": 1,
        "replaceSync": STYLES.sheet(sheets[4]),
    }
    assert pauses_of(share.sanitiser, mutation(texts=[{"id": text, "value": sheets[2] + " "}])) >= 3


def test_styles_of_nodes_beyond_an_events_share_of_time_are_left_out() -> None:
    page = Recorder()
    styles = [f"width:calc({number}px + 1px)" for number in range(3)]
    boxes = [page.element("p", {"style": one}) for one in (*styles, "width: 3px", styles[0])]
    share = Share(page.put(*boxes), Limits(css=100))
    left = [share.of(one)["attributes"].get("style") for one in boxes]
    assert left == [f"{styles[0]};", f"{styles[1]};", None, "width:3px;", f"{styles[0]};"]
    assert share.picture.dropped == {"attribute": 1}
    far = mutation(
        attributes=[
            changed(boxes[0], style={f"margin-{side}": "calc(1px + 1234px)" for side in ("top", "left", "right", "bottom")})
        ]
    )
    made = share.take(far)
    assert made.event is not None
    assert len(made.event["data"]["attributes"][0]["attributes"]["style"]) == 2
    assert made.dropped == {"style": 2}


def test_a_change_that_no_rule_names_is_not_carried_down() -> None:
    page = Recorder()
    top = page.element("div", {"class": "shown"}, *(page.element("p", {}, "Words") for _ in range(100)))
    share = Share(page.put(top), Limits(slice=10, judged=50))
    words = top["childNodes"][0]["childNodes"][0]["id"]
    for _ in range(100):
        made = share.take(mutation(attributes=[changed(top, **{"class": "shown wide"}), changed(top, **{"class": "shown"})]))
        assert made.event is not None
        assert not made.resync
    assert pauses_of(share.sanitiser, mutation(attributes=[changed(top, **{"class": "shown wide"})])) == 0
    assert share.left(mutation(texts=[{"id": words, "value": "More"}]))["texts"] == [{"id": words, "value": "More"}]  # type: ignore[index]
    made = share.take(mutation(attributes=[changed(top, **{"class": "balance"})]))
    assert made.dropped == {"too_much": 1}


def test_a_change_that_a_rule_names_pauses_on_its_way_down() -> None:
    page = Recorder()
    top = page.element("div", {"class": "shown"}, *(page.element("p", {}, "Words") for _ in range(100)))
    share = Share(page.put(top), Limits(slice=10))
    assert pauses_of(share.sanitiser, mutation(attributes=[changed(top, data_private="")])) >= 20
    words = top["childNodes"][99]["childNodes"][0]["id"]
    assert share.left(mutation(texts=[{"id": words, "value": "More"}]))["texts"] == [{"id": words, "value": MASK}]  # type: ignore[index]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_nodes_come_in_whatever_order(order: tuple[int, ...]) -> None:
    """Every round takes those whose parent is there by then."""
    page = Recorder()
    share = Share(page)
    nodes = [page.element("div", {}, page.element("p")) for _ in range(4)]
    parents = [page.body, *(one["childNodes"][0] for one in nodes)]
    made = share.left(mutation(adds=[added(parents[one], nodes[one]) for one in order]))
    expected, there = list[int](), {-1}
    while len(expected) < 4:
        for one in order:
            if one - 1 in there and one not in there:
                there.add(one)
                expected.append(one)
    assert made is not None
    assert [one["node"]["id"] for one in made["adds"]] == [nodes[one]["id"] for one in expected]


def test_many_that_come_before_their_parents_are_looked_at_once_more_each() -> None:
    """Looking through all that wait in each round would take the square of their number."""
    page = Recorder()
    share = Share(page, Limits(slice=1))
    node, adds = page.body, list[Json]()
    for _ in range(600):
        adds.append(added(node, node := page.element("div")))
    assert pauses_of(share.sanitiser, mutation(adds=adds[::-1])) <= 600 * 4
    assert share.sanitiser.nodes == len(nodes_of(page.document)) + 600
    lost = [added({"id": 10**9 + number}, page.element("p")) for number in range(500)]
    made = share.take(mutation(adds=[*lost, 7, {"parentId": []}, added(page.body, page.element("p"))]))
    assert made.resync
    assert made.dropped == {"unknown_node": 502}


def test_what_has_gone_is_freed_at_once() -> None:
    def there() -> int:
        return sum(isinstance(one, Node) for one in gc.get_objects())

    page = Recorder()
    page.put(*(page.element("div", {"class": "a"}, page.element("p", {}, "x")) for _ in range(100)))
    gc.collect()
    gc.disable()
    try:
        before = there()
        share = Share(page)
        whole = there() - before
        assert whole == share.sanitiser.nodes
        share.take(page.picture())
        assert there() - before == whole
        share.take(mutation(removes=[{"parentId": page.body["id"], "id": one["id"]} for one in page.body["childNodes"][10:60]]))
        assert there() - before == whole - 150
        share.take(page.meta())
        assert there() - before == 0
    finally:
        gc.enable()


def test_a_shadow_tree_of_any_shape() -> None:
    """Against one that keeps lists."""
    shadow, look = Shadow(), Look("p")
    top = Node(1, look, None)
    shadow.put(top)
    nodes = {1: top}
    for id in range(2, 60):
        nodes[id] = Node(id, look, nodes[1 + id * 7 % (id - 1)])
        shadow.put(nodes[id])
    for gone in (59, 30, 7, 41, 3, 2):
        if shadow.get(gone) is None:
            continue
        below = {id for id, node in nodes.items() if nodes[gone] in above(node)}
        assert {one.id for one in shadow.all_below(nodes[gone])} == below
        shadow.remove(nodes[gone])
        for id in (gone, *below):
            del nodes[id]
        assert {1, *(one.id for one in shadow.all_below(top))} == set(nodes)
        assert len(shadow.nodes) == len(nodes)
    for id in list(nodes)[1:]:
        shadow.put(Node(id, look, top))  # in place of what was there, with all below it
    assert all(shadow.get(one.id) is one for one in shadow.all_below(top))
    shadow.clear()
    assert (len(shadow.nodes), shadow.get(1)) == (0, None)


def above(node: Node) -> list[Node]:
    return [] if node.above is None else [node.above, *above(node.above)]
