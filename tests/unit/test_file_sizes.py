"""Past 600 lines a file is two files."""

from tests.support.repository import own_files, relative

LIMIT_LINES = 600
HANDWRITTEN = {".py", ".ts", ".tsx", ".css", ".sh", ".html", ".c", ".h"}


def test_no_handwritten_file_is_past_the_limit() -> None:
    counts = {
        relative(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in own_files()
        if path.suffix in HANDWRITTEN and ".gen." not in path.name
    }
    assert counts, "found no source at all"
    assert {name: lines for name, lines in counts.items() if lines > LIMIT_LINES} == {}
