"""Every kind of place in a page where something secret can stand: each as HTML, with a script where a page would have one.

``{s}`` is the secret; ``{r}`` turned round, ``{z}`` with characters of no width in it, ``{w}`` of wide characters, ``{g}`` in groups of four, ``{h}`` with
hyphens, ``{a}`` and ``{b}`` its two halves, ``{u}`` per cent, ``{e}`` Base64. ``plant.js`` puts them into a page.
"""

from dataclasses import dataclass


def each(names: str, before: str = "") -> str:
    """All of these attributes with the secret."""
    return " ".join(f"{before}{one}='{{s}}'" for one in names.split())


ATTRIBUTES = each(
    "abbr accept-charset accesskey allow archive axis char cite classid code codebase codetype color content coords datetime dirname download "
    "enterkeyhint exportparts face form formaction formmethod formtarget headers hreflang imagesizes imagesrcset inputmode integrity is itemid itemprop itemref "
    "itemtype kind lang language list longdesc loading lowsrc manifest max maxlength media method min minlength name nonce part pattern ping profile "
    "referrerpolicy rel rev role scheme shape sizes slot span spellcheck standby start step summary tabindex target text translate type usemap version width xmlns "
    "height colspan align dir rr_width rr_scrollLeft rr_src _cssText rr_dataURL xml:lang xlink:title foo x-y on"
)
STATES = each(
    "activedescendant braillelabel brailleroledescription checked colindextext controls current description details expanded flowto invalid keyshortcuts label "
    "labelledby owns placeholder roledescription rowindextext selected sort valuemax valuemin valuenow valuetext",
    "aria-",
)


@dataclass(frozen=True)
class Kind:
    """``shown``: what it is planted as in a part that a rule shows, "" where words may leave; ``values``: where a rule shows what is entered, too. ``masked``:
    elsewhere. ``script``: with ``box``, in which the HTML stands, and ``fill``, which puts the secret in place."""

    name: str
    html: str = ""
    script: str = ""
    shown: str = "word"
    values: str = "word"
    masked: str = "word"


def words(name: str, html: str, net: str = "card", script: str = "") -> Kind:
    """Words may leave where they are shown; numbers that tell who somebody is may not."""
    return Kind(name, html, script, shown=net, values=net)


def field(name: str, html: str, script: str = "", net: str = "card") -> Kind:
    """What is entered leaves where a rule shows values."""
    return Kind(name, html, script, values=net)


def number(name: str, html: str) -> Kind:
    """Of digits, as the place has nothing else."""
    return Kind(name, html, shown="card", values="card", masked="card")


WORDS = (
    words("words", "<p>{s}</p>"),
    words("heading", "<h4>{s}</h4>", "identity"),
    words("a cell of a table", "<table><caption>{s}</caption><tbody><tr><td>{s}</td></tr></tbody></table>"),
    words("an entry of a list", "<ul><li>{s}</li></ul><dl><dt>{s}</dt><dd>{s}</dd></dl>", "phone"),
    words("a button", "<button type='button'>{s}</button>"),
    words("the words of a link", "<a href='#'>{s}</a>", "mail"),
    words("a label", "<label>{s} <input></label><fieldset><legend>{s}</legend></fieldset>", "phone"),
    words("what aria-describedby names", "<input aria-describedby='hint'><span id='hint'>{s}</span>"),
    words("details", "<details><summary>{s}</summary>{s}</details>", "identity"),
    words("a dialog", "<dialog>{s}</dialog><div popover>{s}</div>"),
    words("hidden words", "<p hidden>{s}</p><p style='display: none'>{s}</p>"),
    words("deleted words", "<del>{s}</del><ruby>{s}<rt>{s}</rt></ruby><q>{s}</q><output>{s}</output>", "phone"),
    Kind("what may be edited", "<div contenteditable='true'>{s}<p class='shown'>{s}</p></div><p contenteditable>{s}</p><p contenteditable='plaintext-only'>{s}</p>"),
    words("wide digits", "<p>{w}</p>"),
    words("signs of no width between digits", "<p>{z}</p>", "identity"),
    words("groups of four", "<p>{g}</p>"),
    words("hyphens between digits", "<p>{h}</p>", "phone"),
    words("right to left", "<bdo dir='rtl'>{r}</bdo>"),
    words("escapes", "<p>&#x200b;{s}&#x200b;</p>"),
    words("old elements", "<center>{s}</center><font>{s}</font><marquee>{s}</marquee><nobr>{s}</nobr>"),
    words("an element of the page's own", "<x-card>{s}</x-card>"),
    Kind("halves in two nodes", "<p><span>{a}</span><span>{b}</span></p>", shown="", values=""),
    Kind("a node of its own for each letter", "<p></p>", "for (const one of fill('{s}')) box.firstChild.append(one)", shown="", values=""),
    Kind("words in elements nobody knows", "<madeup>{s}</madeup><blink>{s}</blink>"),
    Kind("elements whose names tell", "<{s}>.</{s}><x-{s}>.</x-{s}>"),
    Kind("noscript", "<noscript>{s}</noscript>"),
    Kind("a template", "<template>{s}<p title='{s}'>{s}</p></template>"),
    Kind("a comment", "<!-- {s} --><p>.</p>"),
    Kind("old raw text", "<xmp>{s}</xmp><noembed>{s}</noembed><noframes>{s}</noframes>"),
)  # fmt: skip
SCRIPTS = (
    Kind("a script's text", "<script type='text/x'>document.cookie = 'session={s}'</script>"),
    Kind("JSON-LD", '<script type=\'application/ld+json\'>{"accountId": "{s}"}</script>'),
    Kind("meta", "<meta name='customer' content='{s}'><meta property='{s}' content='{u}'>"),
    Kind("a link in the head", "<link rel='prefetch' href='/t/{s}'><link rel='alternate' title='{s}' hreflang='{s}'>"),
    Kind("a title in the body", "<title>{s}</title>", shown="card", values="card"),
)
ADDRESSES = (
    Kind("the address of a link", "<a href='/statement?token={s}#{s}'>.</a>"),
    Kind("mailto: and tel:", "<a href='mailto:{s}@post.example'>.</a><a href='tel:{s}'>.</a>"),
    Kind("javascript:", "<a href='javascript:show(\"{s}\")'>.</a>"),
    Kind("an escaped address", "<a href='/?t={u}&e={e}'>.</a>"),
    Kind("where a form goes", "<form action='/pay/{s}'><button type='button' formaction='/{s}'>.</button></form>"),
    Kind("an image's address", "<img src='/t/{s}.png' srcset='/t/{s}.png 2x' alt='' data-src='{s}'>"),
    Kind("an image's words", "<img alt='{s}' title='{s}' longdesc='{s}'>"),
    Kind("a data: address", "<img src='data:image/svg+xml;base64,{e}'><a href='data:text/plain,{s}'>.</a>"),
    Kind("media", "<video poster='/t/{s}'><source src='/t/{s}'><track label='{s}' src='/t/{s}'></video><audio src='/t/{s}'></audio>"),
    Kind("a map", "<map name='{s}'><area alt='{s}' href='/{s}' coords='1,1,2,2'></map>"),
    Kind("objects", "<object data='/t/{s}' type='text/plain'><param name='a' value='{s}'>{s}</object><embed src='/t/{s}' type='text/plain'>"),
    Kind("ping and download", "<a href='#' ping='/t/{s}' download='{s}.pdf'>.</a>"),
)  # fmt: skip
TOLD = (
    Kind("aria-label", "<button type='button' aria-label='{s}'>.</button>"),
    Kind("aria-valuetext", "<div role='slider' aria-valuetext='{s}' aria-valuenow='{s}'></div>"),
    Kind("aria-*", f"<div {STATES}></div>"),
    Kind("title", "<p title='{s}'>.</p>"),
    Kind("data-*", "<p data-account='{s}' data-json='{&quot;card&quot;:&quot;{s}&quot;}' data-{s}='1'>.</p>"),
    Kind("class and id", "<p id='a{s}' class='{s} row-{s}'>.</p>"),
    Kind("for and list", "<label for='{s}'>.</label><input list='{s}' name='{s}' form='{s}'>"),
    Kind("handlers", "<p onclick='pay(\"{s}\")' onmouseover='\"{s}\"'>.</p>"),
    Kind("an attribute nobody knows", "<p {s}='1' secret='{s}' {s}>.</p>"),
    Kind("every other attribute", f"<p {ATTRIBUTES}>.</p>"),
    Kind("every other attribute of a field", f"<input {ATTRIBUTES}>", values="card"),
    Kind("attributes of a component", "<x-card number='{s}' aria-label='{s}' data-a='{s}' is='x-{s}'></x-card>"),
    words("placeholder", "<input placeholder='{s}'><textarea placeholder='{s}'></textarea>"),
)  # fmt: skip
FIELDS = (
    Kind("a password", "<input type='password' value='{s}' autocomplete='current-password'>"),
    Kind("a password that is shown", "<input type='password' name='loginPasswd'>", "box.firstChild.value = fill('{s}'); box.firstChild.type = 'text'"),
    Kind("a one-time code", "<input autocomplete='one-time-code' inputmode='numeric' value='{s}'>"),
    Kind("a code by its name", "<input name='smsOtp' value='{s}'><input id='cvv' value='{s}'><input name='支付密码' value='{s}'>"),
    Kind("fields of a card", "<input autocomplete='cc-number' value='{s}'><input autocomplete='billing cc-csc' value='{s}'><input autocomplete='section-a cc-exp' value='{s}'>"),
    Kind("a hidden field", "<input type='hidden' name='csrf' value='{s}'>"),
    Kind("a file", "<input type='file' title='{s}' accept='{s}'>"),
    field("a field", "<input value='{s}'>"),
    field("a field, by script", "<input>", "box.firstChild.value = fill('{s}')", net="identity"),
    field("a field that a script hides", "<input data-real='{s}' value='{s}'>", "box.firstChild.value = '••••'"),
    field("a field that is read only", "<input readonly value='{s}'><input disabled value='{s}'>", net="phone"),
    field("email, tel, url, search", "<input type='email' value='{s}'><input type='tel' value='{s}'><input type='url' value='{s}'><input type='search' value='{s}'>", net="mail"),
    field("a textarea", "<textarea>{s}</textarea>"),
    field("a textarea, by script", "<textarea></textarea>", "box.firstChild.value = fill('{s}')", net="phone"),
    number("a number, a range", "<input type='number' value='{s}' min='{s}' max='{s}'><input type='range' value='{s}' max='9999999999999999'>"),
    field("dates and colours, written by hand", "<input type='date' value='{s}' min='{s}'><input type='month' value='{s}'><input type='color' value='{s}'>"),
    Kind("boxes and circles", "<input type='checkbox' value='{s}' checked><input type='radio' name='{s}' value='{s}' checked>"),
    words("what stands on buttons", "<input type='button' value='{s}'><input type='submit' value='{s}'><input type='reset' value='{s}'><button type='button' value='{s}' name='{s}'>.</button>"),
    Kind("an image as a button", "<input type='image' src='/t/{s}' alt='{s}'>"),
    Kind("the value of an option", "<select><option value='{s}'>.</option><option value='{s}' selected>.</option></select>", values="card"),
    words("the words of an option", "<select><option>.</option><option selected>{s}</option></select>"),
    words("what is chosen", "<select><option>.</option><option>{s}</option></select>", script="box.firstChild.selectedIndex = 1"),
    words("groups of options", "<select><optgroup label='{s}'><option label='{s}'>.</option></optgroup></select>"),
    Kind("a list of proposals", "<input list='l'><datalist id='l'><option value='{s}'></option></datalist>"),
    words("words of a list of proposals", "<datalist><option>{s}</option></datalist>", "phone"),
    number("meter and progress", "<meter value='{s}' max='{s}'></meter><progress value='{s}' max='{s}'></progress>"),
    Kind("data and time", "<data value='{s}'>.</data><time datetime='{s}'>.</time>"),
)  # fmt: skip
STYLES = (
    Kind("content of a sheet", "<style>.a::before { content: '{s}'; quotes: '{s}' '{s}' }</style>"),
    Kind("addresses in a sheet", "<style>@import '/t/{s}'; @font-face { font-family: '{s}'; src: url(/t/{s}) } .a { background: url(/t/{s}); cursor: url('/t/{s}'), auto }</style>"),
    Kind("properties of a sheet's own", "<style>.a { --card: {s}; --b: '{s}'; --{s}: 1; font-family: '{s}' }</style>"),
    number("numbers in a sheet", "<style>.a { --card: {s}; width: {s}px; counter-reset: a {s}; z-index: {s} }</style>"),
    Kind("selectors of a sheet", "<style>.{s}, #{s}, [value='{s}'], input[value^='{s}' i], {s}, p:lang({s}) { color: red }</style>"),
    Kind("comments and rules nobody knows", "<style>/* {s} */ @{s} { a { b: c } } @namespace '{s}'; @counter-style {s} { symbols: '{s}' } .a { /* {s} */ color: red }</style>"),
    Kind("an element's own style", "<p style=\"background: url(/t/{s}); content: '{s}'; --card: {s}; font-family: '{s}'; --{s}: 1; quotes: '{s}' '{s}'\">.</p>"),
    Kind("a style, by script", "<p>.</p>", "for (const [name, value] of [['--card', fill('{s}')], ['background-image', fill('url(/t/{s})')], ['content', fill('\"{s}\"')]]) box.firstChild.style.setProperty(name, value)"),
    Kind("a rule that is put in", "<style></style>", "try { box.firstChild.sheet.insertRule(fill(\".a::before { content: '{s}'; background: url(/t/{s}) }\")) } catch {}"),
    Kind("a rule that is changed", "<style>.a { color: red }</style>", "try { box.firstChild.sheet.cssRules[0].style.setProperty('--card', fill(\"'{s}'\")); box.firstChild.sheet.cssRules[0].style.setProperty('background-image', fill('url(/t/{s})')) } catch {}"),
    Kind("an adopted sheet", "<p>.</p>", "const own = new (box.ownerDocument.defaultView ?? window).CSSStyleSheet(); own.replaceSync(fill(\".a::before { content: '{s}'; --card: '{s}' }\")); box.ownerDocument.adoptedStyleSheets = [own]; own.insertRule(fill(\".{s} { background: url(/t/{s}) }\"))"),
    Kind("a sheet that is loaded", "<link rel='stylesheet' href='/sheet/{s}.css' title='{s}'>"),
)  # fmt: skip
DRAWN = (
    words("words of an SVG", "<svg><text x='1' y='9'>{s}<tspan>{s}</tspan></text></svg>"),
    Kind("title and desc of an SVG", "<svg><title>{s}</title><desc>{s}</desc><metadata>{s}</metadata></svg>", shown="card", values="card"),
    Kind("foreignObject", "<svg><foreignObject><p title='{s}'>{s}</p></foreignObject></svg>"),
    Kind("addresses of an SVG", "<svg><use href='/t/{s}#a' xlink:href='#{s}'/><image href='/t/{s}' xlink:href='/t/{s}'/><a href='/t/{s}' xlink:href='/t/{s}'>.</a><filter><feImage href='/t/{s}'/></filter></svg>"),
    Kind("attributes of an SVG", "<svg id='{s}' class='{s}' data-a='{s}' aria-label='{s}' viewBox='{s}'><path d='{s}' fill='url(#{s})' stroke='{s}' transform='{s}' marker-end='url(/t/{s})'/><animate attributeName='x' values='{s}' from='{s}' to='{s}'/></svg>"),
    Kind("style and script of an SVG", "<svg><style>text::before { content: '{s}' } .{s} { fill: url(/t/{s}) }</style><script type='text/x'>{s}</script></svg>"),
    words("MathML", "<math><mtext>{s}</mtext><mi>{s}</mi><semantics><mn>1</mn><annotation>{s}</annotation></semantics></math>"),
    Kind("attributes of MathML", "<math alttext='{s}' href='/t/{s}'><mi mathvariant='{s}'>.</mi></math>"),
    Kind("a canvas", "<canvas width='300' height='30'>{s}</canvas>", "box.firstChild.getContext('2d').fillText(fill('{s}'), 1, 20)", shown="card", values="card"),
)  # fmt: skip
WITHIN = (
    words("a shadow root", "<div></div>", script="box.firstChild.attachShadow({ mode: 'open' }).innerHTML = fill('<p>{s}</p>')"),
    Kind("what a shadow root's attributes tell", "<div></div>", "box.firstChild.attachShadow({ mode: 'open' }).innerHTML = fill(\"<style>p::before { content: '{s}' }</style><p title='{s}' data-a='{s}' part='{s}'>.</p><input type='password' value='{s}'>\")"),
    words("a shadow root in another", "<div></div>", script="const outer = box.firstChild.attachShadow({ mode: 'open' }); outer.innerHTML = '<b></b>'; outer.firstChild.attachShadow; const inner = document.createElement('div'); outer.append(inner); inner.attachShadow({ mode: 'open' }).innerHTML = fill('<p>{s}</p>')"),
    words("a slot", "<div><span slot='a'>{s}</span>{s}</div>", script="box.firstChild.attachShadow({ mode: 'open' }).innerHTML = fill(\"<slot name='a'></slot><slot>{s}</slot>\")"),
    Kind("a closed shadow root", "<div></div>", "box.firstChild.attachShadow({ mode: 'closed' }).innerHTML = fill('<p>{s}</p>')"),
    Kind("a declared shadow root", "<div></div>", "box.firstChild.setHTMLUnsafe?.(fill(\"<div><template shadowrootmode='open'><p>{s}</p></template></div>\"))", shown="card", values="card"),
    Kind("a frame", "<iframe src='/frame/{s}'></iframe>"),
    Kind("srcdoc of a frame", "<iframe srcdoc='<p title=\"{s}\">{s}</p><input value=\"{s}\"><title>{s}</title>' name='{s}' title='{s}'></iframe>"),
    Kind("a frame that a script writes", "<iframe></iframe>", "const inner = box.firstChild.contentDocument; if (inner) inner.body.innerHTML = fill(\"<p>{s}</p><input type='password' value='{s}'><div data-a='{s}'></div>\")"),
)  # fmt: skip
KINDS = (*WORDS, *SCRIPTS, *ADDRESSES, *TOLD, *FIELDS, *STYLES, *DRAWN, *WITHIN)
