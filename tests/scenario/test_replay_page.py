"""The frame in which a customer's page is replayed is served with a policy of its own, and our pages may frame nothing else."""

from pathlib import Path

from tests.support.server import app


def directives(policy: str) -> dict[str, str]:
    return {name: rest for name, _, rest in (part.strip().partition(" ") for part in policy.split(";"))}


async def test_the_frame_fetches_nothing_and_stands_in_our_pages_alone(tmp_path: Path) -> None:
    static = tmp_path / "dist"
    static.mkdir()
    for name in ("index.html", "agent.html", "review.html", "replay.html"):
        (static / name).write_text(f"<!doctype html>{name}")
    async with app(tmp_path, static_dir=str(static)) as here:
        page = await here.get("//replay.html")
        assert (page.status, page.raw) == (200, b"<!doctype html>replay.html")
        assert directives(page.headers["Content-Security-Policy"]) == {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": "'self' 'unsafe-inline'",
            "img-src": "blob:",
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'self'",
        }
        assert page.headers["X-Frame-Options"] == "SAMEORIGIN"
        assert page.headers["Cache-Control"] == "no-cache"
        assert "camera=()" in page.headers["Permissions-Policy"]
        for path in ("//", "//agent", "//review"):
            policy = directives((await here.get(path)).headers["Content-Security-Policy"])
            assert (policy["frame-src"], policy["frame-ancestors"], policy["style-src"]) == ("'self'", "'none'", "'self'")


async def test_where_the_pages_are_not_built_there_is_no_frame(tmp_path: Path) -> None:
    async with app(tmp_path, static_dir=str(tmp_path / "nothing")) as here:
        page = await here.get("//replay.html")
        assert (page.status, page.json["code"]) == (404, "not_found")
