"""schemathesis against a running server: every operation, valid and invalid requests, all checks (campaign 3).

In place of ``positive_data_acceptance``: what fits the schema may be refused for what a schema cannot say (a link or a code, a
cursor that was given out, text a database can hold), but then with a sentence that says so.

Short form in the suite; ``python -m tests.support.schemathesis_run --examples 1000`` starts an application and runs the long one.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

TIMEOUT_S = 20


async def explore(
    url: str, tokens: Sequence[str], *, session: str = "", examples: int, under: str = ""
) -> tuple[list[str], int]:
    """What was found wrong, one line each, and how many requests were made. ``under``: only operations whose path has it.

    ``session``: an existing session, which replaces every other made-up one, so that more than "not found" is seen.
    """
    return await asyncio.to_thread(_explore, url, tokens, session, examples, under)


def _explore(url: str, tokens: Sequence[str], session: str, examples: int, under: str) -> tuple[list[str], int]:
    schema = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json", timeout=TIMEOUT_S)
    failures: list[str] = []
    cases = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        if under not in operation.path:
            continue
        for number, token in enumerate(tokens):
            mode = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)[number % 2]

            @settings(
                max_examples=examples,
                database=None,
                derandomize=True,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: Any) -> None:
                nonlocal cases
                cases += 1
                if (
                    session
                    and mode is GenerationMode.POSITIVE  # noqa: B023 - asked before the next one
                    and cases % 2
                    and case.path.endswith(("messages", "files", "invitations", "participants"))
                ):
                    case.path_parameters = {**case.path_parameters, "session": session}
                headers = {"Authorization": f"Bearer {token}"} if token else {}  # noqa: B023 - asked before the next one
                response = case.call(headers=headers, timeout=TIMEOUT_S)
                if response.status_code == 400:
                    assert response.json()["detail"], "refused without a reason"
                case.validate_response(response, excluded_checks=[positive_data_acceptance])

            try:
                ask()
            except Unsatisfiable:
                continue  # there is nothing to get wrong
            except FailureGroup as group:
                failures += [f"{operation.label} [{mode.name.lower()}]: {failure}" for failure in group.exceptions]
            except Exception as error:
                failures.append(f"{operation.label} [{mode.name.lower()}]: {type(error).__name__}: {error}")
    return failures, cases


async def _main(examples: int) -> int:
    from tests.support.fake_engine import FakeEngine
    from tests.support.server import app

    with tempfile.TemporaryDirectory() as folder:
        engine = FakeEngine()
        async with app(Path(folder), engine=engine, throttle__attempts=1000, throttle__waiting_joins=1000) as here:
            session = await here.session()
            place = await here.place(session)
            faces = (await here.post("/keys", {"name": "faces", "faces": True}, token=here.supervisor)).json["secret"]
            bank = (await here.post("/keys", {"name": "bank", "verifications": True}, token=here.supervisor)).json["secret"]
            tokens = [here.supervisor, faces, place["token"], "", faces, bank, bank]
            failures, cases = await explore(here.url, tokens, session=session, examples=examples)
    print(*failures, sep="\n")
    print(f"{cases} cases, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--examples", type=int, default=1000)
    sys.exit(asyncio.run(_main(parser.parse_args().examples)))
