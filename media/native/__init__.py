"""Receiving, the forwarder's inner loop and the reading of feedback in C: ``inlet.c``, ``forward.c``, ``feedback.c``; the headers are what
they share with Python.

``make run`` builds it where there is a C compiler; without one, or with ``media.native = false``, ``media.transport.mux.Mux`` and
``media.relay.forward.Forwarder`` do the same work in Python, and so do ``SentPackets`` and ``Trend`` of ``media.congestion``. They stay the
references: ``tests/unit/media/test_native_inlet.py``, ``test_native.py`` and ``test_native_feedback.py`` compare them byte by byte.
"""
