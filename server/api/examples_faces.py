"""Whole requests of face checks as the OpenAPI document shows them: they run as they stand.

The picture is NASA's portrait of the astronaut Eileen Collins (public domain), small and grey.
"""

import base64

from server.api.bodies_documents import CompareDocument, ReadDocument
from server.api.bodies_faces import (
    CheckLiveness,
    CompareBatch,
    CompareFaces,
    EnrolTemplate,
    ExamineFace,
    ReplaceTemplate,
)

PORTRAIT = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABcQERQRDhcUEhQaGBcbIjklIh8fIkYyNSk5UkhXVVFIUE5bZoNvW2F8Yk5QcptzfIeLkpSSWG2grJ+O"
    "qoOPko3/wAALCACQAJABAREA/8QAGgAAAgMBAQAAAAAAAAAAAAAAAQQCAwUABv/EADUQAAEEAQIFAwEFCQADAAAAAAEAAgMRBBIhBRMxQVEiYXEy"
    "FFKBkaEGFSMkM0JyscGC0fD/2gAIAQEAAD8A1AEaRpG11qLnBrSXGgFny8S5jjHjjf73VUubO42+XRfVW47YGusNDnfeKfaRp7Ee2yqmDXNoNF+x"
    "SDgYn6mkscO4V8PEnt2m9Y8jqnY545hbHA+3dWLlyKCIR2QKrfI1gJJ2WRxjOcMZzWCmu2tZODMHu0vDr+8CteNm41Svr52TTIWtP1Nv4TGsxgDk"
    "hw86aS8+XAwgPc5rj2oUEsZWvvS2/clVOhG7gRQ3J8KMZLSHN1Ob1BBWpj5zHuEchpx2B8lOUhSIULRtHUlMrLEYoblJtn1HVI61RxFpmja1rdib"
    "VOFiRsaTMCHHY9tux/NPNhli+h1g+d1awPbuWhx8BF+Q0N3jryetKlroHg7Ek9y1BuM3ctGkHz0S84Mfb03tarxxpdVnQT07BCSQtfTHm+3hb3Ds"
    "kZWKHf3t2cPdMELlTa60tmZBjqNn1u/RZUzqJ3sqMJLnBzq67BOumFU5l0l5p3axTdu6LZdTQWuOnwD0TEU2nYBwB8ikwHmhRFKBGpxALAfKjJBN"
    "GLoexCQyJtTS0t37krNdO7Vp0ptx/k2GgHjsmeBZgZm8s7CQVXuvS1aiWpZFZGXJ/PSFx2bQUDFzAHDogf4Nk/grceXWCSB06qT3Md0CXbE1pNWA"
    "VfCdLqcS72tMB+kGvUPB6hdrYPW0nwQi7KIY5rjY91k55afVG70nqEtHjuk6OaB5KsOpts2I67I4rjBlMmc3YPuq7L2AIIBBsFFJorF4jERmPd2I"
    "BRgf0voOgS3EJBJKWt2aAtHhcIkxhfnZTmwJGOtnS1H7HI4gVTkPskzOg/MKD4JR6iDfkJYSSsLg4bHY/wDFRNlH8UqZNcR3ogohnp9JDT391a3S"
    "xzQHNPkhQnks0b26L1mDLzsKF47tCvJpUIUsjiktZIaR2SokG5BrZKSW5xJ2B/0vSYAMWNG0NLjpGyeaJ3bljK8at0RKGuAkicz36hXnQ8bUUC1l"
    "dAlJWY2o69NnqFmZuFhyNJsg+QCsaTBIceW9pak9YY4sddA0mWuqg0beVPS149ThQ8r0vBmlvC4dR8n8LTbjarXUsTjsbuZG5o2cKJ91kC2O9WyZ"
    "hHPlaOlkBejbcbNTRZrYJLIyc8Q80yhnr06A0mh5KniT5TsVk0rrDjVLUxnWN7Cry8jlDZIyZM0bDIGEgGqre1XFxeSWEyOxzy+hPhLz8qU86IDf"
    "wsPMZWS8eTatiZrhB8dVNmOZXsja71ONBeujaIYWRt6NFLtS5EKrKxmZUJjftfQjsV5bMw5seYtkBPgq/hjLyGHsF6qJgLBasMQ+6D8qp2NW5oAI"
    "xmt0nlbytKvdAySEsc0Fh7dku7BayEsj9IPZUNxhHG4Hr4WBxBlTg+QjjUI5Gnwm+A4r583nG+XEevkr0pCFIIhTAVOXiMyYiHD1VsUlHgiCXWPp"
    "I3+Vpwn0hMmtFl1JYytdbRuog7pXK9Lg6lfjyB7PcK4g0kMl1WF5viLtU9eBSngYs2bKWRCh0c49AvWYuNHi47YYxQb38nyrCF2lQpEBSaFJQe1w"
    "a7TRBHQqiJ5a0ISTSSO5cY37k9ArGx8tgDfz8qIkmitz2t/8Unk5D5XD00Ahjl7X6m9fHlaAltl/ms3KfqcaSn7vblSNHUnqB/8AbLexcWPEx2xR"
    "NAA613KtQRCrARpWNClSBFgjyEpCPSL7bK98ILSWmie/hK4/2s2yV0ZeL2Aq02TO1nqhDgDWyVn52/8AAArykIX5GRkaWxBsfd5/4tF8XLiJtZ2j"
    "XI1o6ucAt1rGs+loHwKXFRXUhSiAq5cmOLqbPgJGfi3LF21g91ny8f8AE7j/AIhL/v8AkvaWVbPDMv7TjtkN73ue602m2qt7LddkEdCFY6YtFNe6"
    "+9pTIkke31Ou+qGM02NSlmTWNIKowI+ZkmU/TH0+VqWguCKBSOZkcu2NNO/uPheazuLEuLMc/L/Pwspz3Pdqe4uJ7koLgF6zgDdfC2jo4ONLTil3"
    "0u2I6gpjYgFCRgra1Q6Nt7/qqXyhh2/BKTSk7A7rXgjEUDGAVQ3+VYFxXBFBeS4zlObEI2n1SfUfZYdbX2TeHi81rpZGnlN2vpZ8KubQ2QiMUB0V"
    "ReV6v9m3A4VX0cQVrZEGoWNnDoVQ3N5J0zDT79lYc6J2/Mb+aWyM+MCmuBPskDK+Q2NvdFlNc3VvuL91vwzRztuM/I7hTpAoIoFeH4iwy8Q09g0b"
    "+O6nw3hjs+UOILIQdvhMcTmbG7kQgCCMUwDv5KxHO1OJ8lcBZT/DuIzYExMZBafqYehXoov2kw3tqVssZ+LUncT4bOKOQ0f5AhVOxcLI/ozxEn7r"
    "wq24Ij67+64hreppZfE8yPkmON9vJ30nou4dxh8b2tmeQR0k/wDa9XiZzcgBrqbJXbo74TJQXALqXlZoBNIQKBe2ifxA/wBLaDRhYTTpAbsBQ6Ly"
    "ma1755C0HlNJa1xHVKaAPdD4UbpysBXakCR+KmzJniH8OZ7R4BUJJ5Zf6kjnfJVa5P8AD88wOEcjjy+x7tK9hgZonHLlI5gGx+8E4QiAjS82NIkB"
    "abYRbT5B6LQmc7IxnQn+5vYrIzMObHgDnnmRu2ca6fKwpWuY6iotCi76kQigeiHdcgi2r9Q2P6LnNLD+oPla/CsskCIupw3YfHsvWYOUMqHfaRuz"
    "h/1MrrX/2Q=="
)

COMPARE = CompareFaces(reference=PORTRAIT, probe=PORTRAIT)
BATCH = CompareBatch(reference=[PORTRAIT], probe=[PORTRAIT])
EXAMINE = ExamineFace(image=PORTRAIT)
LIVENESS = CheckLiveness(image=[PORTRAIT])
READ_DOCUMENT = ReadDocument(image=PORTRAIT)
COMPARE_DOCUMENT = CompareDocument(document=PORTRAIT, probe=PORTRAIT)
ENROL = EnrolTemplate(image=PORTRAIT, subject="c-7f3a", consent="consents/2026/118")
REPLACE = ReplaceTemplate(image=PORTRAIT, consent="consents/2026/342")
