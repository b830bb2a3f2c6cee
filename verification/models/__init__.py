"""Model packs: what is loaded, where it came from, and that it is that and nothing else. ``docs/models.md``.

``manifest`` (a pack's TOML), ``catalogue`` (the packs of ``packs/`` that come with this version), ``store`` (the folder they are installed in),
``install`` and ``fetch`` (PyPI, pinned addresses, mirrors), ``onnx_format`` (reads a model's inputs and outputs, writes a model),
``dlib_weights`` and ``dlib_onnx`` (dlib's recogniser as ONNX).
"""
