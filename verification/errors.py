"""What the verification engine refuses, and what fails in it: one tree with stable codes. Public text says nothing secret."""


class VerificationError(Exception):
    """``code`` is stable and public; ``detail`` is one public sentence without a full stop. ``picture``: of several, which one (from 0)."""

    code = "verification_failed"
    picture = 0

    def __init__(self, detail: str = "", *, code: str = "") -> None:
        super().__init__(detail or code or self.code)
        self.detail = detail
        if code:
            self.code = code


class ImageRefused(VerificationError):
    """A picture that is not read: too large, damaged, of a kind that is not known. ``code`` says which."""

    code = "image_refused"

    def __init__(self, detail: str = "", *, code: str = "", picture: int = 0) -> None:
        super().__init__(detail, code=code)
        self.picture = picture
        """Which of several pictures, from 0."""


class FaceRefused(VerificationError):
    """A picture without the one face that is asked for. ``code``: ``no_face``, ``several_faces``."""

    code = "no_face"

    def __init__(self, detail: str = "", *, code: str = "", picture: int = 0) -> None:
        super().__init__(detail, code=code)
        self.picture = picture
        """Which of several pictures, from 0."""


class PackError(VerificationError):
    """Something is wrong with a model pack; nothing of it is used."""

    code = "pack_unusable"


class ManifestInvalid(PackError):
    """The manifest itself: a key, a threshold, a name that cannot be right."""

    code = "pack_manifest_invalid"


class HashMismatch(PackError):
    """A file is not the one that the manifest names."""

    code = "pack_hash_mismatch"


class ShapeMismatch(PackError):
    """A model's inputs or outputs are not those that the manifest names."""

    code = "pack_shape_mismatch"


class FileDamaged(PackError):
    """A file cannot be read as what it should be: weights, a model, an archive."""

    code = "pack_file_damaged"


class LicenceNotAccepted(PackError):
    """The pack's licence must be accepted first, and nobody has."""

    code = "pack_licence_not_accepted"


class NotInstalled(PackError):
    """The pack, a file of it or a package that it needs is not there."""

    code = "pack_not_installed"


class FetchFailed(PackError):
    """What a pack is made of could not be had: no network, no such file, too slow. Trying again may help."""

    code = "pack_fetch_failed"


class EngineError(VerificationError):
    """The engine could not answer. Whoever decides must not take this for a yes."""

    code = "engine_failed"


class EngineBusy(EngineError):
    """The queue is full; try again later."""

    code = "engine_busy"


class EngineLost(EngineError):
    """The worker died or was ended while it was at it."""

    code = "engine_lost"


class DeadlineMissed(EngineError):
    """No answer in time."""

    code = "engine_deadline_missed"


class BadMessage(EngineError):
    """What one side of the engine sends the other cannot be right: it is not believed, and the worker is ended."""

    code = "engine_bad_message"


class ProviderMissing(EngineError):
    """ONNX Runtime has no such execution provider here, or it does not work."""

    code = "engine_provider_missing"


class NotConfined(EngineError):
    """What a worker must be held by does not hold it on this machine; no stranger's picture is shown to it."""

    code = "engine_not_confined"


class TemplateRefused(VerificationError):
    """Not a template, or one of another recogniser. ``code``: ``template_broken``, ``template_of_another_model``."""

    code = "template_broken"


class TableRefused(VerificationError):
    """A table of pictures whose truth is known cannot be used. ``detail`` names each bad line."""

    code = "table_refused"
