"""A small bank that has its transactions verified by Tongping: to be tried, read and copied from.

It speaks to the server by HTTP and webhooks alone, as a bank's system would, and shares nothing with it: of the server it imports
``verify_decision`` and nothing else (a test sees to it). Nobody's money, nobody's data: its four customers are drawn.

What a bank should copy is in four places: ``hooks`` (whose word is taken), ``clerk`` (verify, redeem, execute, each once), ``books``
(what is written in one transaction) and ``guard`` (who may post a form).
"""
