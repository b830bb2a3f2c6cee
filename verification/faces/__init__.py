"""From one picture: where the face is, how good it is, whether it is alive, which way it looks, and whose it may be.

``analyser.py`` is the door; everything else does one step of it. Synchronous, one thread, no network.
"""
