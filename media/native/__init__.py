"""The forwarder's inner loop in C. ``forward.c`` is the code, ``forward.h`` what it shares with Python, the rest binds the two.

``make run`` builds it where there is a C compiler; without one, or with ``media.native = false``, ``media.relay.forward.Forwarder``
does the same work in Python. That class stays the reference: ``tests/unit/media/test_native.py`` compares them byte by byte.
"""
