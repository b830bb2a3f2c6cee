"""Images that rules let be seen: of each only a number leaves the sanitiser, and the picture only what was asked for, whole, to whoever sees the page now."""

import base64
import hashlib

import msgspec
import pytest

from server.cobrowse.assets import MOST_ASSETS, MOST_BYTES, MOST_GIVEN_BYTES, MOST_UNDER_WAY, Gallery, Image
from server.cobrowse.messages import AssetNeed, AssetPut, Scope, TabConsent, TabPause, ViewAsset, ViewDom
from server.cobrowse.orders import Cleaned
from server.cobrowse.pictured import MOST
from server.cobrowse.rules import read_rules
from server.cobrowse.sanitiser import Sanitiser
from tests.support.pages import Json, Recorder, added, mutation, nodes_of
from tests.support.shared_page import STYLES
from tests.support.sharing import META, PICTURE, RULES, Stage

PACK = read_rules(
    b"""
[[page]]
url = "https://bank.example/transfers/*"
name = "transfer"
show = [".shown"]
mask = [".hidden"]
block = [".box"]
images = ["#logo", ".art img"]
"""
)
ADDRESS = "https://bank.example/images/6222020200112233.png?token=s3cret"
WEBP = b"RIFF\x04\x00\x00\x00WEBPpixels"

# ---------------------------------------------------------------- what leaves of an image


class Page:
    def __init__(self, *nodes: Json, recorder: Recorder) -> None:
        self.sanitiser = Sanitiser(PACK, STYLES)
        recorder.put(*nodes)
        self.sanitiser.take(recorder.meta())
        self.made = self.sanitiser.take(recorder.picture())

    def of(self, node: Json) -> Json:
        assert self.made.event is not None
        found: Json = nodes_of(self.made.event["data"]["node"])[node["id"]]
        return found


def test_only_a_rule_gives_an_image_its_number() -> None:
    r = Recorder()
    logo = r.element("img", {"id": "logo", "rr_asset": "3", "src": ADDRESS, "alt": "s3cret"})
    art = r.element("div", {"class": "art"}, of_art := r.element("img", {"rr_asset": "4"}))
    other = r.element("img", {"rr_asset": "5", "src": ADDRESS})
    page = Page(logo, art, other, recorder=r)
    assert page.of(logo)["attributes"]["data-asset"] == "3"
    assert page.of(of_art)["attributes"] == {"data-asset": "4"}
    assert page.of(other)["attributes"] == {}
    assert page.made.pictured == ((logo["id"], 3), (of_art["id"], 4))
    assert "s3cret" not in str(page.made.event)
    assert "bank.example" not in str(page.made.event)


@pytest.mark.parametrize("around", [{"class": "hidden shown"}, {"class": "box"}, {"class": "hidden"}])
def test_what_is_masked_or_blocked_shows_none(around: Json) -> None:
    r = Recorder()
    image = r.element("img", {"id": "logo", "rr_asset": "3"})
    page = Page(r.element("div", around, image), recorder=r)
    assert page.made.pictured == ()
    assert "data-asset" not in str(page.made.event)


@pytest.mark.parametrize("tag", ["input", "video", "image", "source", "object", "picture"])
def test_nothing_but_img_has_one(tag: str) -> None:
    r = Recorder()
    page = Page(r.element(tag, {"id": "logo", "rr_asset": "3", "type": "image"}), recorder=r)
    assert page.made.pictured == ()
    assert "data-asset" not in str(page.made.event)


@pytest.mark.parametrize("value", [ADDRESS, "0", "-1", "01", "10001", "1 ", "٣", "3.0", "", "3;s3cret"])
def test_a_number_that_is_none_does_not_leave(value: str) -> None:
    r = Recorder()
    logo = r.element("img", {"id": "logo", "rr_asset": value})
    page = Page(logo, recorder=r)
    assert page.of(logo)["attributes"].get("data-asset") is None
    assert page.made.pictured == ()


def test_on_a_page_in_a_frame_and_where_no_rule_names_the_page_there_is_none() -> None:
    r = Recorder("https://bank.example/elsewhere")
    page = Page(r.element("img", {"id": "logo", "rr_asset": "3"}), recorder=r)
    assert page.made.pictured == ()


def test_another_address_takes_the_image_away_or_names_another() -> None:
    r = Recorder()
    logo = r.element("img", {"id": "logo", "rr_asset": "3"})
    page = Page(logo, recorder=r)
    for value, left in ((None, None), ("7", "7"), (ADDRESS, None)):
        made = page.sanitiser.take(mutation(attributes=[{"id": logo["id"], "attributes": {"rr_asset": value}}]))
        assert made.event is not None
        assert made.event["data"]["attributes"] == [{"id": logo["id"], "attributes": {"data-asset": left}}]
        assert made.pictured == (((logo["id"], 7),) if left else ())


def test_an_image_that_no_rule_names_any_more_costs_a_new_picture() -> None:
    r = Recorder()
    logo = r.element("img", {"id": "logo", "rr_asset": "3"})
    page = Page(logo, recorder=r)
    assert page.sanitiser.take(mutation(attributes=[{"id": logo["id"], "attributes": {"id": "other"}}])).resync
    made = page.sanitiser.take(mutation(attributes=[{"id": logo["id"], "attributes": {"rr_asset": "9"}}]))
    assert made.pictured == ()


def test_one_event_names_so_many_and_no_more() -> None:
    r = Recorder()
    page = Page(recorder=r)
    images = [r.element("img", {"id": "logo", "rr_asset": str(number + 1)}) for number in range(MOST + 5)]
    made = page.sanitiser.take(mutation(adds=[added(r.body, one) for one in images]))
    assert len(made.pictured) == MOST


def test_rules_say_images_as_selectors() -> None:
    with pytest.raises(Exception, match="images: a list"):
        read_rules(b'[[page]]\nurl = "https://b.example/"\nname = "x"\nimages = "img"\n')
    with pytest.raises(Exception, match="pause"):
        read_rules(b'[[page]]\nurl = "https://b.example/"\nname = "x"\npause = true\nimages = ["img"]\n')


# ---------------------------------------------------------------- the share


class Images(Stage):
    """A stage with images."""

    def shows(self, *pictured: tuple[int, int], kind: int = PICTURE, resync: bool = False) -> None:
        if kind == PICTURE:
            self.event("meta")
            self.clean(META)
        self.event("picture" if kind == PICTURE else "change")
        order = self.sanitise.popleft()
        made = Cleaned(order=order.order, text=order.text, kind=kind, name="transfer", pictured=pictured, resync=resync)
        self.do(self.share.cleaned(made, self.now))

    def put(self, asset: int, data: bytes = b"png", *, page: int = 1, sha256: str = "", part: int = 30_000) -> None:
        for body in chunks(asset, data, page=page, sha256=sha256, part=part):
            self.tab(body)

    def drawn(self, made: bytes | None = WEBP) -> None:
        self.do(self.share.drawn(self.draws.popleft().number, made, self.now))

    def images(self, connection: str = "anna") -> list[int]:
        """Those that came whole."""
        return [one.asset for one in self.of(ViewAsset, connection) if one.last]

    def dropped(self) -> dict[str, int]:
        return dict(self.share._core.dropped)


def chunks(asset: int, data: bytes, *, page: int = 1, sha256: str = "", part: int = 30_000) -> list[AssetPut]:
    digest = sha256 or hashlib.sha256(data).hexdigest()
    parts = [data[at : at + part] for at in range(0, len(data), part)] or [b""]
    return [
        AssetPut(page=page, asset=asset, sha256=digest, n=n, data=base64.b64encode(one).decode(), last=n == len(parts))
        for n, one in enumerate(parts, 1)
    ]


@pytest.fixture
def stage() -> Images:
    made = Images()
    made.hello()
    made.do(made.share.attach(made.now))
    made.come()
    made.grant(Scope.VIEW)
    made.frames("tab")
    return made


def test_it_is_asked_for_once_drawn_anew_and_shown(stage: Images) -> None:
    stage.shows((7, 3), (8, 3), (9, 4))
    assert stage.of(AssetNeed, "tab") == [AssetNeed(page=1, node=7, asset=3), AssetNeed(page=1, node=9, asset=4)]
    stage.put(3, b"x" * 70_000)
    assert [one.data for one in stage.draws] == [b"x" * 70_000]
    assert stage.images() == []
    stage.drawn()
    (frame,) = stage.of(ViewAsset, "anna")
    assert (frame.page, frame.asset, frame.n, frame.last, frame.kind) == (1, 3, 1, True, "image/webp")
    assert base64.b64decode(frame.data) == WEBP
    stage.shows((7, 3))
    assert stage.of(AssetNeed, "tab") == []
    assert stage.images() == []


def test_an_image_that_waits_is_something_that_waits(stage: Images) -> None:
    """Before each frame it is asked whether they may look."""
    stage.shows((7, 3))
    stage.put(3)
    stage.frames("anna")
    assert not stage.share.waits("anna")
    stage.drawn(b"m" * 90_000)
    ends = []
    while stage.share.waits("anna"):
        body, _ = stage.share.take("anna", stage.now)
        assert isinstance(body, ViewAsset)
        ends.append(body.last)
    assert ends == [False, False, True]


def test_the_same_picture_by_its_hash_is_not_drawn_again(stage: Images) -> None:
    stage.shows((7, 3), (8, 4))
    stage.put(3)
    stage.drawn()
    stage.put(4)
    assert not stage.draws
    assert stage.images() == [3, 4]


def test_who_comes_later_gets_what_stands_there_now(stage: Images) -> None:
    stage.shows((7, 3), (8, 4))
    stage.put(3)
    stage.put(4, b"other")
    stage.drawn()
    stage.drawn()
    stage.frames("anna")
    stage.come("ben")
    assert stage.images("ben") == []
    stage.grant(Scope.VIEW, viewer="ben")
    stage.wait(6)
    stage.shows((8, 4))
    assert stage.images("ben") == [4]


def test_after_a_taking_back_nothing_of_it_leaves_nor_is_it_kept(stage: Images) -> None:
    stage.shows((7, 3), (8, 4))
    stage.put(3)
    stage.drawn()
    assert stage.share.asset_bytes
    *most, last = chunks(4, b"y" * 70_000)
    for one in most:
        stage.tab(one)
    stage.tab(TabConsent(viewer="anna", scope=Scope.VIEW, given=False, rules=RULES))
    stage.tab(last)
    assert stage.images() == []
    assert stage.share.asset_bytes == 0
    assert not stage.draws


def test_what_is_being_drawn_when_it_is_taken_back_is_not_shown_later(stage: Images) -> None:
    stage.shows((7, 3))
    stage.put(3)
    stage.tab(TabPause(paused=True))
    stage.drawn()
    stage.tab(TabPause(paused=False))
    stage.wait(6)
    stage.shows((7, 3))
    assert stage.images() == []
    assert [one.asset for one in stage.of(AssetNeed, "tab")][-1:] == [3]


def test_a_picture_that_must_be_made_anew_shows_none_until_it_is_there(stage: Images) -> None:
    stage.shows((7, 3), (8, 4))
    stage.put(3)
    stage.shows(kind=3, resync=True)
    stage.drawn()
    assert stage.images() == []
    stage.wait(6)
    stage.shows((8, 4))
    assert stage.images() == []


def test_another_document_has_none_of_those_before(stage: Images) -> None:
    stage.shows((7, 3))
    stage.put(3)
    stage.drawn()
    stage.hello("next", tab="tab", page=2)
    stage.frames("anna")
    stage.wait(6)
    assert stage.images() == []


def test_refused(stage: Images) -> None:
    """By kinds alone, and the share goes on."""
    stage.shows(*[(number, number) for number in range(1, 9)])
    stage.put(99)
    stage.put(1, page=2)
    stage.put(2, sha256="0" * 64)
    first, second, third = chunks(3, b"z" * 90_000)
    stage.tab(first)
    stage.tab(third)
    stage.tab(second)
    stage.tab(msgspec.structs.replace(chunks(4, b"q")[0], data="not base64!"))
    stage.put(5, b"w" * (MOST_GIVEN_BYTES + 1))
    stage.put(6, b"svg")
    stage.drawn(None)
    stage.put(7, b"large")
    stage.drawn(b"b" * (MOST_GIVEN_BYTES + 1))
    assert not stage.draws
    assert stage.images() == []
    assert stage.dropped() == {
        "asset_not_asked": 2,
        "asset_hash": 1,
        "asset_order": 2,
        "asset_broken": 1,
        "asset_too_large": 1,
        "asset_refused": 2,
    }
    stage.put(3, b"z" * 90_000)
    stage.drawn()
    assert stage.images() == [3]


def test_no_more_than_so_many_are_asked_for_drawn_and_kept(stage: Images) -> None:
    stage.shows(*[(number, number) for number in range(1, MOST_ASSETS + 20)])
    assert len(stage.of(AssetNeed, "tab")) == MOST_ASSETS
    for number in range(1, MOST_UNDER_WAY + 2):
        stage.put(number, b"%d" % number)
    assert len(stage.draws) == MOST_UNDER_WAY
    assert stage.dropped() == {"asset_busy": 1}
    while stage.draws:
        stage.drawn(b"m" * MOST_GIVEN_BYTES)
    for number in range(MOST_UNDER_WAY + 2, MOST_UNDER_WAY + 8):
        stage.put(number, b"%d" % number)
        stage.drawn(b"m" * MOST_GIVEN_BYTES)
    assert stage.share.asset_bytes <= MOST_BYTES
    assert stage.dropped()["asset_full"] > 0


def test_those_that_come_faster_than_they_are_drawn_are_asked_for_again(stage: Images) -> None:
    numbers = range(1, 3 * MOST_UNDER_WAY)
    stage.shows(*[(number, number) for number in numbers])
    for number in numbers:
        stage.put(number, b"%d" % number)
    stage.frames("tab")
    while stage.draws:
        stage.drawn()
        for need in stage.of(AssetNeed, "tab"):
            stage.put(need.asset, b"%d" % need.node)
    assert stage.images() == list(numbers)


def test_nobody_asks_again_for_what_stands_there_no_more(stage: Images) -> None:
    numbers = range(1, MOST_UNDER_WAY + 2)
    stage.shows(*[(number, number) for number in numbers])
    for number in numbers:
        stage.put(number, b"%d" % number)
    stage.shows((1, 1))
    stage.frames("tab")
    stage.drawn()
    assert stage.of(AssetNeed, "tab") == []


def test_two_that_are_the_same_are_kept_once(stage: Images) -> None:
    stage.shows((7, 3), (8, 4))
    stage.put(3)
    stage.put(4)
    stage.drawn()
    once = stage.share.asset_bytes
    stage.drawn()
    assert stage.share.asset_bytes == once
    assert stage.images() == [3, 4]


def test_the_recorder_gets_them_again_with_each_picture(stage: Images) -> None:
    stage.do(stage.share.recorder_came("recorder", stage.now))
    stage.wait(6)
    for _ in range(2):
        stage.shows((7, 3))
        if stage.of(AssetNeed, "tab"):
            stage.put(3)
            stage.drawn()
        assert stage.images("recorder") == [3]
        stage.wait(6)


def test_the_recorder_gets_none_before_the_picture_that_it_stands_in(stage: Images) -> None:
    stage.shows((7, 3))
    stage.put(3)
    stage.drawn()
    stage.frames("anna")
    stage.do(stage.share.recorder_came("recorder", stage.now))
    assert stage.images("recorder") == []
    stage.wait(6)
    stage.shows((7, 3))
    kinds = [type(one) for one in stage.frames("recorder")]
    assert kinds[-3:] == [ViewDom, ViewDom, ViewAsset]


def test_whoever_looks_is_asked_about_before_an_image_too(stage: Images) -> None:
    """``waits`` says before which frames that is."""
    stage.shows((7, 3))
    stage.put(3)
    stage.frames("anna")
    assert not stage.share.waits("anna")
    stage.drawn(b"w" * 80_000)
    for _ in range(3):
        assert stage.share.waits("anna")
        body, outputs = stage.share.take("anna", stage.now)
        stage.do(outputs)
        assert isinstance(body, ViewAsset)
    assert not stage.share.waits("anna")


def test_images_come_behind_everything_else_and_whole() -> None:
    gallery, large = Gallery(), Image("A" * 100_000)
    assert gallery.offer(1, {3: large})
    first = gallery.take()
    assert first is not None
    assert not first.last
    assert not gallery.offer(1, {3: large})
    gallery.offer(1, {})  # it cannot be seen any more
    assert gallery.take() is None
    gallery.offer(1, {3: large})
    assert [one.n for one in iter(gallery.take, None)] == [1, 2, 3]
