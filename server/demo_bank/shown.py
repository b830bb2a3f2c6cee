"""What an agent may read of this bank's pages, where a customer shows them. Pure. ``docs/cobrowse.md`` has the format."""

import json

_PAGES = """\
[[page]]
url = {home}
name = "home"
show = ["header", "main h2", "main .soft", "dt", ".services", "footer"]
click = [".services a"]
images = [".brand img"]
mask = [".plastic"]

[[page]]
url = {new}
name = "new order"
show = ["header", "h1", "main p", "main h2", "label", "main a", "main button", "footer"]
values = ["[name=new_phone]", "[name=lost_on]"]
images = [".brand img"]

[[page]]
url = {transfer}
name = "transfer"
show = ["header", "h1", "h2", "main .lead", "main .soft", ".notice", "form label", "legend", ".error", "#check", "#calendar-open", ".calendar", ".confirm button", "th", ".accounts td", "bank-limit", ".confirm dt", ".confirm dd", ".payments time", ".payments .purpose", "footer"]
values = ["[name=payee]", "[name=amount]", "[name=purpose]", "[name=pay_on]", "[name=memo]"]
click = ["#calendar-open", ".calendar button"]
images = [".brand img"]
mask = [".private", "[name=from]"]

[[page]]
url = {order}
name = "order"
show = ["header", "h1", "h2", ".steps", ".outcome", "main button", "main a", "dt", "footer"]
images = [".brand img"]
mask = [".claims"]

[[page]]
url = {history}
name = "history"
show = ["header", "h1", "main p", ".records b", "footer"]
images = [".brand img"]

[[page]]
url = {branch}
name = "branch"
pause = true
"""


def rules(public_url: str) -> bytes:
    """The rule pack. ``public_url``: where the bank's pages are, without a path. Nothing of the branch is shown: a face is photographed there."""
    paths = {
        "home": "/",
        "new": "/new/*",
        "transfer": "/transfer",
        "order": "/orders/*",
        "history": "/history",
        "branch": "/branch",
    }
    return _PAGES.format(**{name: json.dumps(public_url + path) for name, path in paths.items()}).encode()
