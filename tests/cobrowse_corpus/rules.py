"""What of the pages here may be seen; ``{origin}`` is where they are."""

RULES = """
[[page]]
url = "{origin}/corpus/*"
name = "corpus"
show = ["h1", ".shown", "[data-private=no]"]
values = [".values input", ".values textarea", ".values select"]
mask = [".balance"]
block = ["#blocked"]

[[page]]
url = "{origin}/hostile/*"
name = "hostile"
show = ["body"]
values = ["#open"]

[[page]]
url = "{origin}/quiet"
name = "quiet"
show = ["h1"]
"""
