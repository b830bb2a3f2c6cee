"""How risky a transaction is: facts, rules, lists, counters and a model, put together by ``engine.py``. See ``docs/risk.md``."""
