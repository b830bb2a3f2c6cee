"""How often a pack errs on pictures whose truth is known: comparison (FMR, FNMR) and passive detection of attacks (APCER, BPCER).

``pairs.py`` and ``labels.py`` read what is asked, ``recognition.py`` and ``pad.py`` run a pack over it, ``metrics.py`` counts, ``plots.py`` and
``report.py`` write down what was found: the report that a manifest's thresholds cite. Terms as in ISO/IEC 19795-1 and 30107-3.
"""
