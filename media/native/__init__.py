"""The forwarder's inner loop and the reading of feedback in C: ``forward.c``, ``feedback.c``; the headers are what they share with Python.

``make run`` builds it where there is a C compiler; without one, or with ``media.native = false``, ``media.relay.forward.Forwarder``
does the same work in Python, and so do ``SentPackets`` and ``Trend`` of ``media.congestion``. They stay the references:
``tests/unit/media/test_native.py`` and ``test_native_feedback.py`` compare them byte by byte.
"""
