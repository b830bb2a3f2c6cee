/** Plants secrets in a page, in every way in which pages change. `corpus.plant(way, [[place, kind, secret], …])`. */
window.corpus = (() => {
  let kinds = {};
  const place = (name) => document.getElementById(name);
  const wide = (text) => text.replace(/[!-~]/g, (one) => String.fromCharCode(one.charCodeAt(0) + 0xfee0));
  const forms = (s) => ({
    s,
    r: [...s].reverse().join(""),
    z: [...s].join("\u200b"),
    w: wide(s),
    g: s.replace(/(.{4})(?=.)/g, "$1 "),
    h: s.replace(/(.{3})(?=.)/g, "$1-"),
    a: s.slice(0, s.length >> 1),
    b: s.slice(s.length >> 1),
    u: [...s].map((one) => "%" + one.charCodeAt(0).toString(16)).join(""),
    e: btoa(s),
  });
  const filler = (s) => {
    const all = forms(s);
    return (text) => text.replace(/\{([srzwghabue])\}/g, (_, form) => all[form]);
  };
  const script = (box, kind, s) => {
    const run = kinds[kind].script;
    if (run) new Function("box", "fill", run)(box, filler(s));
  };
  const box = (kind, s) => {
    const made = document.createElement("div");
    made.className = "box";
    made.planted = { kind, s };
    made.innerHTML = filler(s)(kinds[kind].html);
    return made;
  };
  const boxes = (name, kind) => [...place(name).querySelectorAll(".box")].filter((one) => one.planted?.kind === kind);

  /** The same secret, or the half of it, in another. */
  const exchange = (from, to) => {
    const [was, is] = [forms(from), forms(to)];
    const pairs = Object.keys(was).map((key) => [was[key], is[key]]).sort((one, other) => other[0].length - one[0].length);
    return (text) => {
      for (const [a, b] of pairs) if (text.includes(a)) return text.split(a).join(b);
      const lower = text.toLowerCase();
      return lower.includes(from.toLowerCase()) ? lower.split(from.toLowerCase()).join(to.toLowerCase()) : text;
    };
  };
  const changed = (top, other) => {
    const walk = (node) => {
      if (node.nodeType === Node.TEXT_NODE || node.nodeType === Node.COMMENT_NODE) {
        const text = other(node.data);
        if (text !== node.data) node.data = text;
        return;
      }
      if (node.nodeType === Node.ELEMENT_NODE) {
        for (const { name, value } of [...node.attributes]) {
          const text = other(value);
          if (text !== value) node.setAttribute(name, text);
        }
        if ("value" in node && typeof node.value === "string" && node.localName !== "li") {
          const text = other(node.value);
          if (text !== node.value) {
            node.value = text;
            node.dispatchEvent(new Event("input", { bubbles: true }));
          }
        }
        if (node.sheet) sheet(node.sheet);
        if (node.shadowRoot) walk(node.shadowRoot);
        if (node.localName === "iframe" && node.contentDocument) walk(node.contentDocument);
        if (node.localName === "template") walk(node.content);
      }
      for (const one of node.childNodes) walk(one);
    };
    const sheet = (own) => {
      try {
        for (const [at, rule] of [...own.cssRules].entries()) {
          const text = other(rule.cssText);
          if (text === rule.cssText) continue;
          own.deleteRule(at);
          own.insertRule(text, at);
        }
      } catch {
        // of another origin, or no rule that may stand there
      }
    };
    walk(top);
    for (const own of document.adoptedStyleSheets) sheet(own);
  };

  /** A tree put up in the page node by node, attributes and words last. */
  const piecewise = (to, from) => {
    for (const one of from.childNodes) {
      if (one.nodeType !== Node.ELEMENT_NODE) {
        const empty = one.cloneNode(false);
        const { data } = one;
        empty.data = "";
        to.append(empty);
        if (empty.appendData) empty.appendData(data);
        continue;
      }
      const made = document.createElementNS(one.namespaceURI, one.localName);
      to.append(made);
      for (const { name, value } of one.attributes) {
        try {
          made.setAttribute(name, value);
        } catch {
          // not a name that scripts may give
        }
      }
      piecewise(made, one);
    }
  };

  const frames = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 0))));
  const known = new WeakSet();
  const loaded = (top) =>
    Promise.all(
      [...top.querySelectorAll("iframe[src], iframe[srcdoc]")].map((one) => {
        const inner = one.contentDocument;
        if (known.has(one) || (inner?.readyState === "complete" && inner.URL !== "about:blank")) return null;
        known.add(one);
        return new Promise((done) => {
          one.addEventListener("load", done, { once: true });
          setTimeout(done, 1500); // an address that cannot be had says nothing
        });
      }),
    );

  const put = (name, kind, s, into = null) => {
    const made = box(kind, s);
    (into ?? place(name)).append(made);
    script(made, kind, s);
    return made;
  };
  const ways = {
    picture: (list) => list.forEach(([name, kind, s]) => put(name, kind, s)),
    inserted(list) {
      for (const [name, kind, s] of list) {
        const made = box(kind, s);
        script(made, kind, s);
        place(name).append(made);
      }
    },
    replaced(list) {
      for (const [name, kind, s] of list) {
        const made = boxes(name, kind)[0];
        made.planted.s = s;
        made.innerHTML = filler(s)(kinds[kind].html);
        script(made, kind, s);
      }
    },
    piecewise(list) {
      for (const [name, kind, s] of list) {
        const made = document.createElement("div");
        place(name).append(made);
        piecewise(made, box(kind, s));
        script(made, kind, s);
      }
    },
    changed(list) {
      for (const [name, kind, s] of list) {
        for (const made of boxes(name, kind)) {
          changed(made, exchange(made.planted.s, s));
          made.planted.s = s;
        }
      }
    },
    async moved(list) {
      const made = list.map(([, kind, s]) => put("private", kind, s));
      await frames();
      list.forEach(([name], at) => place(name).append(made[at]));
    },
    async copied(list) {
      for (const [name, kind, s] of list) {
        const made = box(kind, s);
        const copy = made.cloneNode(true);
        place(name).prepend(copy);
        script(copy, kind, s);
      }
      await frames();
      for (const name of new Set(list.map(([one]) => one))) {
        for (let at = 0; at < 20; at += 1) place(name).prepend(place(name).lastChild); // numbers stay, places change
      }
    },
    shadow(list) {
      for (const [name, kind, s] of list) {
        const host = document.createElement("div");
        place(name).append(host);
        put(name, kind, s, host.attachShadow({ mode: "open" }));
      }
    },
    async frame(list) {
      for (const name of new Set(list.map(([one]) => one))) {
        const frame = document.createElement("iframe");
        place(name).append(frame);
        await frames();
        for (const [own, kind, s] of list) {
          if (own !== name) continue;
          const made = frame.contentDocument.createElement("div");
          frame.contentDocument.body.append(made);
          made.innerHTML = filler(s)(kinds[kind].html);
          script(made, kind, s);
        }
      }
    },
    /** Shown and empty at first; hidden by its class, and filled in the same moment. */
    async turned(list) {
      const made = list.map(([name]) => place(name).appendChild(document.createElement("div")));
      await frames();
      list.forEach(([, kind, s], at) => {
        made[at].className = "balance";
        made[at].innerHTML = filler(s)(kinds[kind].html);
        script(made[at], kind, s);
      });
    },
    title: (list) => list.forEach(([, , s]) => (document.title = s)),
    root: (list) => list.forEach(([, , s]) => ["data-customer", "class", "title", "id"].forEach((name) => document.documentElement.setAttribute(name, s))),
    history: (list) => list.forEach(([, , s]) => history.pushState({ s }, "", `/corpus/${s}?token=${s}#${s}`)),
    storage: (list) => list.forEach(([, , s]) => ((document.cookie = `s=${s}`), localStorage.setItem(s, s), (window.name = s))),
  };

  return {
    begin: (given) => void (kinds = given),
    /** Takes away what was planted before. */
    clear: () => document.querySelectorAll("#private, #shown, #sealed, #values, #blocked").forEach((one) => one.replaceChildren()),
    async plant(way, list, beacon) {
      await ways[way](list);
      await loaded(document);
      await frames();
      if (beacon) document.getElementById("beacon").textContent = beacon;
    },
  };
})();
