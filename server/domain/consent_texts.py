"""The texts that our pages ask for consent with: what for, of every version since their hashes are kept, in each language, its SHA-256. Pure.

A page says which version it showed (``Consent.wording``); what stands in the record beside it is the hash of that text. A text never changes under its version:
where its words change the version does, and a line is added here; none is taken away. A test holds the newest ones against the words of the pages.
"""

import hashlib
from collections.abc import Sequence

from server.domain.model import ConsentScope, Language

_EN, _ZH = Language.EN, Language.ZH
_CAMERA, _DOCUMENT, _FACE = ConsentScope.CAMERA, ConsentScope.DOCUMENT, ConsentScope.FACE
_MICROPHONE, _RECORDING, _SCREEN = ConsentScope.MICROPHONE, ConsentScope.RECORDING, ConsentScope.SCREEN
TEXTS: dict[tuple[ConsentScope, str, Language], str] = {
    (_CAMERA, "camera-2", _ZH): "837dbdd503b14bdf3712e84c1f5fd22c980fba6d2f9ba8868b74fbdcb64a92ab",
    (_CAMERA, "camera-2", _EN): "84e92abc294f0c0e18f9ca43891ba1f1362951154a090accbe31251e3279b829",
    (_DOCUMENT, "document-3", _ZH): "5183fd12ba68134fce2a66e8a897b3d15256805ae9a4efe1b0367cf6c5c97b0f",
    (_DOCUMENT, "document-3", _EN): "8d06004b2a7db8ee59cfc43fe50823317d2f26246dc9e1fc8b8b37ef901bf1cd",
    (_FACE, "face-4", _ZH): "674ea71ed24138cde34c44becfd1aeeae9a84f6166ad99deafa17907189b9058",
    (_FACE, "face-4", _EN): "0aa788625efa30b6e00fad05db886ff619c316b25a133b478d880473c95de340",
    (_FACE, "face-5", _ZH): "2302f2d717d96ee6969aeb5d7018c34946527c7b905573f43dea095018f227b7",
    (_FACE, "face-5", _EN): "c309e682db3a3d6752b9720888b16112f17be248885a9f7fa550182cb5013402",
    (_MICROPHONE, "microphone-2", _ZH): "7e8c5a768774fabc24697f34d0748bc721a044feb560da668de565cd63174060",
    (_MICROPHONE, "microphone-2", _EN): "c8376927d5e15ead6509c45bec733b651f5ecbd78abe4f399f5794642b3890a0",
    (_RECORDING, "recording-1", _ZH): "a9dbfb7dd7c87ba1434335cfe4d293b140f01b0279956eda29f82c93d5f7136a",
    (_RECORDING, "recording-1", _EN): "bed96fb900c7c7007228d6b70ab4c18a86b750926188a5a4bf4e24c1605209f5",
    (_RECORDING, "recording-2", _ZH): "cfbb20097fe7a8a9673e2b4277ca2dfabeeea2a10e8d21e8ab2467d9639c0e9e",
    (_RECORDING, "recording-2", _EN): "0970cf9fa59fe1a5d930e16a5c4ad804c00f28cc8ae6b1513f0322625da610c8",
    (_SCREEN, "screen-1", _ZH): "ea8449f26392aad0ed21462fe4cb194cf5b88bacb150615d337930f1b5ea8781",
    (_SCREEN, "screen-1", _EN): "405581ab31ad30106c1f9d031167517f78e6328c0912c96c7f96c86a628d8b79",
    (_CAMERA, "self-camera-1", _ZH): "5b0112e62e2a66e0a23a0fef3638242cf5773deb8d434fcaf2d7117e19a67a75",
    (_CAMERA, "self-camera-1", _EN): "273e109286e1adf49501c0345a4688e54a08b5729c1bb2684f7120baa5bf76eb",
    (_DOCUMENT, "self-document-2", _ZH): "830bc028bb00db0da8b926464652c39dd499e847d86058ffc63d21d598e64884",
    (_DOCUMENT, "self-document-2", _EN): "3566a149b3367ee4defcb2ed94a604a8bd17beb912c25efbbd841a7a9a0c60dc",
    (_FACE, "self-face-2", _ZH): "f512dce8b6099f31a5e82bd83498d60ddd190d94da0635237e044f9de531e2f2",
    (_FACE, "self-face-2", _EN): "5be0cb2383b0891b581870af9bdf316b683fd8cdcd466b9a0f0ce340fa2f877b",
    (_FACE, "self-face-3", _ZH): "608ab2b5efbd11864c1b3a3ac9a2edcfd29688d2190ac11b30adccdeca193433",
    (_FACE, "self-face-3", _EN): "b1b80b90da9a59ba55c5f860a05fe771f3156ceb79bdae40715f270cf7e264ef",
}


KEEPS_PAGE = frozenset({"recording-2"})
"""Of the texts that ask to be recorded those that say that a page which is shared is kept."""

_SCOPES = frozenset(one.value for one in ConsentScope)


def text_of(scope: ConsentScope, wording: str, language: Language) -> str:
    """Hexadecimal; "" for a version that no page of ours has for that."""
    return TEXTS.get((scope, wording, language), "")


def is_for_another(scope: ConsentScope, wording: str) -> bool:
    """Whether that is a version, of whatever age, of a text of ours that asks for something else."""
    asks_for = wording.removeprefix("self-").rpartition("-")[0]
    return asks_for in _SCOPES and asks_for != scope.value


def digest(lines: Sequence[str]) -> str:
    """Of a card as it is read: title, then for what, why, how long and if not the heading and the words, then the buttons, the refusing one first; each a line, UTF-8,
    ``\\n`` between them. Places such as ``{kept}`` stand unfilled: how long evidence is kept is the policy's, and the case has its hash."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
