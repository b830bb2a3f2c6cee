"""Rules are those of the moment, also for a case that was begun before; the decision says which."""

from datetime import UTC, datetime
from pathlib import Path

from server.transactions.token import verify_decision
from tests.scenario.test_verifications_api import CALM, DETAILS, Bank, settings
from tests.support.bank_place import takes
from tests.support.server import app

LARGE = {**DETAILS, "amount": "2000000.00"}


async def test_the_decision_names_the_rules_that_assessed(tmp_path: Path) -> None:
    async with app(tmp_path, **settings(tmp_path)) as here:
        bank = await Bank.of(here)

        async def put(text: str) -> str:
            answer = await here.call("PUT", "/risk/rules/default", {"text": text}, token=here.supervisor)
            return str(answer.json["hash"])

        made = [await bank.ready(details=LARGE, customer=f"c-{number}") for number in range(2)]
        sets = [await put("model_weight = 0.0\n"), await put(CALM)]
        assert sets[0] != sets[1]
        await put("model_weight = 0.0\n")
        jwks = (await here.get("/verifications/keys")).json
        model = (await here.get("/risk/rules", token=here.supervisor)).json["model_hash"]
        outcomes = []
        for id in made:
            shown = await bank.show(id, takes())
            outcomes.append(shown.json["attempt"]["outcome"])
            if shown.json["verification"]["result"] is not None:
                token = shown.json["verification"]["result"]
                claims = verify_decision(token, jwks, details=LARGE, audience=bank.id, now=datetime.now(UTC))
                assert (claims.rules_hash, claims.model_hash) == (sets[0], model)
            await put(CALM)
        assert outcomes == ["accept", "reject"], "tightened at once"
        entries = (await here.get("/audit?limit=100", token=here.supervisor)).json["entries"]
        ended = [one["details"]["rules"] for one in entries if one["action"] == "verification.attempt_ended"]
        assert sorted(ended) == sorted(sets)
