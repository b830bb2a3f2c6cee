"""The models at work: one ONNX Runtime session for each (``session.py``), in worker processes that can do nothing else (``worker.py``,
``confine.py``, ``calls.py``), and the pool that the rest of the system asks (``pool.py``). ``messages.py`` and ``frames.py`` are between the two.
"""
