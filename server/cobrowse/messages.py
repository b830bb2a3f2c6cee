"""What goes over the sockets of co-browse: between the script in the bank's page (the *tab*) and the server, and between the server and those who look (*viewers*).

One WebSocket each, apart from the signalling one, as a page's changes are many and may be dropped where signalling may not. Every frame is one JSON text of at
most ``MAX_FRAME_BYTES``. A page's events come and go in chunks: ``text`` of chunks with one number put together is one rrweb event in JSON.

``page`` is the number of the document in which a node's number means something; what names another than the present one comes to nothing. Between tab and
server it is the tab's number (it counts its documents from 1, over reloads and navigation), between server and viewers the server's.
"""

from enum import StrEnum
from typing import Annotated, Literal

import msgspec

MAX_FRAME_BYTES = 256 * 1024
CHUNK_CHARS = 48 * 1024
MAX_VALUE_CHARS = 2000
MAX_POINTS = 256
"""Of one stroke of ink."""
MAX_WRONG = 20
"""Fields that are named as wrong."""

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
Short = Annotated[str, msgspec.Meta(max_length=200)]
Token = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
Number = Annotated[int, msgspec.Meta(ge=1, le=2**53)]
PageNumber = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
AssetNumber = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
NodeNumber = Annotated[int, msgspec.Meta(ge=1, le=2**31)]
Part = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
"""Of a node's width or height, from its left or upper edge."""
Chunk = Annotated[str, msgspec.Meta(max_length=CHUNK_CHARS)]
Value = Annotated[str, msgspec.Meta(max_length=MAX_VALUE_CHARS)]


class Scope(StrEnum):
    """The ladder of what a viewer may do, each step granted by itself, by the customer, to one viewer. Nothing else of the ladder follows from one."""

    VIEW = "view"
    POINT = "point"  # pointer, highlight, ink, arrow, box; a value proposed for a field
    SCROLL = "scroll"
    FILL = "fill"  # fields that are not masked; never passwords, one-time codes, files
    CLICK = "click"  # never what submits


class ShareState(StrEnum):
    """Of one share, and ``ended`` for good."""

    IDLE = "idle"  # nobody has come to it yet: its code can be read to an agent
    ATTACHED = "attached"  # in a session; nobody may look
    SHARING = "sharing"  # somebody may
    PAUSED = "paused"  # by the customer
    ENDED = "ended"


class ActKind(StrEnum):
    SCROLL = "scroll"  # the node into view
    FILL = "fill"
    CLICK = "click"
    PROPOSE = "propose"  # needs ``point``: shown as a ghost, which the customer accepts or dismisses


class ActOutcome(StrEnum):
    DONE = "done"  # of a proposal: accepted
    DISMISSED = "dismissed"  # by the customer
    REFUSED = "refused"  # by the server or by the script: not granted, or never the agent's
    GONE = "gone"  # the node or its page is not there any more
    LATE = "late"  # nothing was heard of it in time


class MarkKind(StrEnum):
    HIGHLIGHT = "highlight"  # the node's own frame
    BOX = "box"
    ARROW = "arrow"
    INK = "ink"


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """Base of every frame."""


class Spot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place in a page, tied to a node."""

    node: NodeNumber
    x: Part
    y: Part


class PageRules(msgspec.Struct, frozen=True, kw_only=True):
    """One page of the site's rule pack, so that the tab itself sends no more than may be seen; as ``docs/cobrowse.md`` says. The first that fits holds.
    ``url``: scheme, host and path, with ``*`` and ``**``; the lists: selectors."""

    url: str
    name: str
    show: list[str]
    values: list[str]
    mask: list[str]
    block: list[str]
    click: list[str]
    images: list[str]
    pause: bool


class Viewer(msgspec.Struct, frozen=True, kw_only=True):
    """``id``: of the participant. ``granted``: what they may do now."""

    id: Id
    name: str
    role: str
    granted: list[Scope]


# ---------------------------------------------------------------- tab → server


class TabHello(Body, frozen=True, kw_only=True, tag="tab.hello"):
    """First frame. ``site``: the public key of the bank's site; the socket's ``Origin`` must be one of those that it names. ``token``: of the share, from
    ``TabWelcome``, or "" to begin one. ``page``: the number of this document. ``tab``: random, of this browser tab; a second tab of the same site has the same
    token and takes over when the customer looks at it (``TabFront``): only the first tab of a share, and a later document of the one in front, need not say so.
    ``customer``: what the bank's page says who they are, verified by nobody."""

    site: Short
    token: Annotated[str, msgspec.Meta(max_length=4096)]
    tab: Id
    page: PageNumber
    customer: Short = ""


class TabFront(Body, frozen=True, kw_only=True, tag="tab.front"):
    """The customer looks at this tab now: its page is the one that is shared."""


class TabDom(Body, frozen=True, kw_only=True, tag="tab.dom"):
    """A chunk of the ``n``-th event of ``page`` since ``TabHello``, from 1 without gaps; ``last``: it is whole now. The first after ``WantPicture`` is a Meta
    event, and then the picture. No chunk ends between two halves of a surrogate pair."""

    page: PageNumber
    n: Number
    text: Chunk
    last: bool


class TabConsent(Body, frozen=True, kw_only=True, tag="tab.consent"):
    """The customer's answer to ``AskConsent``, or what they give or take back by themselves: one viewer's scope; ``viewer`` "" takes it from all."""

    viewer: Annotated[str, msgspec.Meta(max_length=40)]
    scope: Scope
    given: bool
    rules: Short
    """SHA-256 of the rules that the prompt named: another one gives nothing."""


class TabPause(Body, frozen=True, kw_only=True, tag="tab.pause"):
    paused: bool


class TabStop(Body, frozen=True, kw_only=True, tag="tab.stop"):
    """The share is over for good."""


class TabTake(Body, frozen=True, kw_only=True, tag="tab.take"):
    """*Take back control*: nobody may scroll, fill or click any more."""


class TabDone(Body, frozen=True, kw_only=True, tag="tab.done"):
    """What came of an act."""

    act: Id
    outcome: ActOutcome


class TabStep(Body, frozen=True, kw_only=True, tag="tab.step"):
    """Of the journey: what the bank's page calls the step, how many fields say that they are wrong, and how long the customer has been at it (seconds).
    ``fields``: the first of those that viewers may read anything of, by their numbers in the picture that was sent last."""

    step: Short
    errors: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 0
    dwell_s: Annotated[int, msgspec.Meta(ge=0, le=86_400)] = 0
    fields: Annotated[list[NodeNumber], msgspec.Meta(max_length=MAX_WRONG)] = []


class TabCall(Body, frozen=True, kw_only=True, tag="tab.call"):
    """The customer's answer to ``AskCall``."""

    viewer: Id
    given: bool


class AssetPut(Body, frozen=True, kw_only=True, tag="asset.put"):
    """A chunk of an image that was asked for (``AssetNeed``), ``n`` from 1 without gaps; one image after the other. ``data``: Base64. ``sha256``: of the
    whole. Of one that cannot be had nothing comes."""

    page: PageNumber
    asset: AssetNumber
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    n: Annotated[int, msgspec.Meta(ge=1, le=64)]
    data: Chunk
    last: bool


TabMessage = TabHello | TabFront | TabDom | TabConsent | TabPause | TabStop | TabTake | TabDone | TabStep | TabCall | AssetPut

# ---------------------------------------------------------------- server → tab


class TabWelcome(Body, frozen=True, kw_only=True, tag="tab.welcome"):
    """Answer to ``TabHello``. ``token``: for later documents and tabs of the same site, as long as the share is not over. ``pages``: of the rule pack; with
    them this frame may be longer than others. ``bank_zh``, ``bank_en``: the bank's name."""

    share: str
    token: str
    pages: list[PageRules] = []
    bank_zh: str = ""
    bank_en: str = ""


class TabState(Body, frozen=True, kw_only=True, tag="tab.state"):
    """All that the banner shows. ``front``: this tab's page is the one that is shared. ``hidden``: the page is one that the bank's rules never show.
    ``code``: six digits to read to an agent, "" once somebody came; it holds for another ``code_s`` seconds. ``rules``: SHA-256 of the rules that hold."""

    state: ShareState
    code: str
    code_s: int
    front: bool
    hidden: bool
    viewers: list[Viewer]
    rules: str


class Who(StrEnum):
    """Who asks, as the customer knows them: whoever typed the code that was read out, whoever offered help, or somebody else."""

    TYPED = "typed"
    OFFERED = "offered"
    OTHER = "other"


class AskConsent(Body, frozen=True, kw_only=True, tag="consent.ask"):
    """``viewer`` asks for ``scope``; answered by ``TabConsent`` within ``seconds``."""

    viewer: Viewer
    scope: Scope
    seconds: int
    rules: str
    who: Who


class AskCall(Body, frozen=True, kw_only=True, tag="call.ask"):
    """``viewer`` asks the customer, who only shows this page, into the conversation; answered by ``TabCall`` within ``seconds``."""

    viewer: Viewer
    seconds: int


class CallLink(Body, frozen=True, kw_only=True, tag="call.link"):
    """The way into it, for once and for a few minutes; "": it could not be made."""

    link: str


class WantPicture(Body, frozen=True, kw_only=True, tag="picture.want"):
    """A whole new picture, with its Meta event before it."""


class Pointer(Body, frozen=True, kw_only=True, tag="pointer"):
    """Where a viewer points; ``at`` None: nowhere. Both to the tab and, from the viewer, to the server (then ``viewer`` is "")."""

    page: PageNumber
    at: Spot | None
    viewer: Annotated[str, msgspec.Meta(max_length=40)] = ""


class Mark(Body, frozen=True, kw_only=True, tag="mark"):
    """Something drawn on the page; ``id`` the viewer's own, ``viewer`` set by the server. ``highlight`` has one spot, ``box`` and ``arrow`` two, ``ink`` two
    and more."""

    id: Id
    page: PageNumber
    kind: MarkKind
    spots: Annotated[list[Spot], msgspec.Meta(min_length=1, max_length=MAX_POINTS)]
    viewer: Annotated[str, msgspec.Meta(max_length=40)] = ""


class Unmark(Body, frozen=True, kw_only=True, tag="unmark"):
    """Takes away one mark of this viewer, or with ``id`` "" all of theirs."""

    id: Annotated[str, msgspec.Meta(max_length=40)]
    viewer: Annotated[str, msgspec.Meta(max_length=40)] = ""


class Act(Body, frozen=True, kw_only=True, tag="act"):
    """Something that a viewer does in the page, or proposes. ``value``: of ``fill`` and ``propose``; "" else. ``act``: the viewer's own number for it;
    towards the tab the server's, with ``viewer``."""

    act: Id
    page: PageNumber
    node: NodeNumber
    kind: ActKind
    value: Value = ""
    viewer: Annotated[str, msgspec.Meta(max_length=40)] = ""


class Problem(Body, frozen=True, kw_only=True, tag="problem"):
    """Something was refused; the socket goes on. ``code``: stable (``refused``, ``not_granted``, ``not_first``, ``not_stored``, ``too_many``, ``unknown``, ``invalid``)."""

    code: str
    detail: str


class Bye(Body, frozen=True, kw_only=True, tag="bye"):
    """Last frame. ``code``: ``ended``, ``replaced``, ``invalid``, ``expired``, ``too_many``, ``restarting``; with ``again`` the page may come back."""

    code: str
    again: bool


class AssetNeed(Body, frozen=True, kw_only=True, tag="asset.need"):
    """The image that ``node`` shows, which the tab's events call ``asset``: rules let it be seen. Answered by ``AssetPut``."""

    page: PageNumber
    node: NodeNumber
    asset: AssetNumber


ToTab = (
    AssetNeed
    | AskCall
    | CallLink
    | TabWelcome
    | TabState
    | AskConsent
    | WantPicture
    | Pointer
    | Mark
    | Unmark
    | Act
    | Problem
    | Bye
)

# ---------------------------------------------------------------- on the site, before anything is shared


class SiteHello(Body, frozen=True, kw_only=True, tag="site.hello"):
    """First frame of a page whose site lists who is on it. ``visitor``: random, of this browser tab, kept for as long as it is open."""

    site: Short
    visitor: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
    language: Literal["zh", "en"]


class SiteAt(Body, frozen=True, kw_only=True, tag="site.at"):
    """Where the customer is. ``url``: without what comes behind ? and #; the server keeps what rules call it, and no more. Else as ``TabStep``."""

    url: Annotated[str, msgspec.Meta(max_length=2000)]
    step: Short = ""
    errors: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 0
    dwell_s: Annotated[int, msgspec.Meta(ge=0, le=86_400)] = 0


class SiteAnswer(Body, frozen=True, kw_only=True, tag="site.answer"):
    """To ``SiteOffer``."""

    offer: Id
    given: bool


SiteMessage = SiteHello | SiteAt | SiteAnswer


class SiteOffer(Body, frozen=True, kw_only=True, tag="site.offer"):
    """Somebody of the bank's offers to help, for ``seconds``."""

    offer: Id
    name: str
    seconds: int
    bank_zh: str
    bank_en: str


class SiteWithdrawn(Body, frozen=True, kw_only=True, tag="site.withdrawn"):
    """Nobody offers anything any more. ``late``: it was accepted, and came to nothing."""

    late: bool


class SiteAccepted(Body, frozen=True, kw_only=True, tag="site.accepted"):
    """There is a share for this tab now: ``TabHello.token``."""

    token: Token


ToSite = SiteOffer | SiteWithdrawn | SiteAccepted | Bye

# ---------------------------------------------------------------- viewer → server


class ViewHello(Body, frozen=True, kw_only=True, tag="view.hello"):
    """First frame. ``token``: the participant's, as for signalling; ``share``: which."""

    token: Token
    share: Id


class ViewAsk(Body, frozen=True, kw_only=True, tag="view.ask"):
    """Ask the customer for a scope; one question at a time is open for each viewer."""

    scope: Scope


class ViewRelease(Body, frozen=True, kw_only=True, tag="view.release"):
    """Give a scope back."""

    scope: Scope


class ViewResync(Body, frozen=True, kw_only=True, tag="view.resync"):
    """The replay has lost its place: a new picture. At most one in 5 s is made; more wait for it."""


class ViewCall(Body, frozen=True, kw_only=True, tag="view.call"):
    """Ask the customer, who only shows this page, into the conversation. Of those who lead."""


class ViewPing(Body, frozen=True, kw_only=True, tag="view.ping"):
    n: Number


ViewMessage = ViewHello | ViewAsk | ViewRelease | ViewResync | ViewPing | Pointer | Mark | Unmark | Act | ViewCall

# ---------------------------------------------------------------- server → viewer


class ViewState(Body, frozen=True, kw_only=True, tag="view.state"):
    """All that the agent's tools show. ``name``: what the rules call the page, never its address. ``page``: 0 before the first. ``waits_for``: scopes that
    this viewer has asked for. ``front``: whether the customer's page is connected. ``customer``: what the bank's page says who they are, verified by nobody.
    ``fields``: of ``errors`` those that this viewer reads anything of, by their nodes. ``apart``: the customer only shows this page, and may be asked into the conversation. Without ``view``, while it is paused and of a hidden page only ``state``, ``viewer``, ``viewers``, ``waits_for``, ``front`` and ``hidden`` tell anything."""

    state: ShareState
    viewer: str
    page: int
    name: str
    front: bool
    hidden: bool
    viewers: list[Viewer]
    waits_for: list[Scope]
    step: str
    errors: int
    fields: list[int]
    dwell_s: int
    customer: str
    apart: bool


class ViewDom(Body, frozen=True, kw_only=True, tag="view.dom"):
    """A chunk of the ``n``-th event for this connection, from 1 without gaps. ``picture``: the event (Meta) begins a new picture: forget what was before. Where
    a new number comes before the last chunk of the one before, the rest of that never will."""

    page: int
    n: int
    text: str
    last: bool
    picture: bool


class ViewAsset(Body, frozen=True, kw_only=True, tag="view.asset"):
    """A chunk of the image that elements of ``page`` with ``data-asset`` of this number show, ``n`` from 1. ``kind``: ``image/webp``. ``data``: Base64. Of one
    that begins anew throw away what there was."""

    page: int
    asset: int
    kind: str
    n: int
    data: str
    last: bool


class ViewAnswer(Body, frozen=True, kw_only=True, tag="view.answer"):
    """The customer said yes or no to a scope, or did not answer in time."""

    scope: Scope
    given: bool


class ViewCalled(Body, frozen=True, kw_only=True, tag="view.called"):
    """``given``: they said yes, and have the way into the conversation."""

    given: bool


class ViewDone(Body, frozen=True, kw_only=True, tag="view.done"):
    act: str
    outcome: ActOutcome


class ViewPong(Body, frozen=True, kw_only=True, tag="view.pong"):
    """``tab_ms``: the last measured round trip to the tab, null while unknown."""

    n: int
    tab_ms: int | None


ToViewer = (
    ViewState | ViewDom | ViewAsset | ViewAnswer | ViewDone | ViewPong | Pointer | Mark | Unmark | Problem | Bye | ViewCalled
)
