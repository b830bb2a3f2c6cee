"""Active liveness: a nonce fixes a script of actions and colours, and the answer is watched frame by frame.

``script.py`` draws it (``draw.py``: chance from a nonce; ``colours.py``: which colours are allowed), ``machine.py`` runs it (``phases.py``: the
table of its states), ``signals.py`` sees what a person does, ``light.py`` whether the colours came back from the face, ``integrity.py``
whether the stream can be a camera's, ``presence.py`` whether it is one and the same living face, ``verdict.py`` puts it together. All of it
sans I/O: it takes ``Observation``s and times. ``observe.py`` makes observations of pictures. ``policy.py`` holds every threshold.
"""
