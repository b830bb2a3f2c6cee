"""The advice of ``reasons.py`` in words: one short sentence that a person can act on, in Chinese and in English."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from verification.reasons import ADVICE, AdviceKey, ReasonCode

LANGUAGES = ("zh", "en")

WORDS: Mapping[AdviceKey, tuple[str, str]] = MappingProxyType(
    {
        AdviceKey.OTHER_PICTURE: ("请换一张照片（JPEG、PNG 或 WebP）。", "Use another picture: JPEG, PNG or WebP."),
        AdviceKey.OTHER_CLIP: (
            "请重新录制视频：不超过 30 秒，WebM 或 MP4 格式，1280×720 即可。",
            "Record the clip again: WebM or MP4, 30 seconds at most; 1280 × 720 is enough.",
        ),
        AdviceKey.SMALLER_PICTURE: ("照片太大，请换一张较小的。", "This picture is too large. Use a smaller one."),
        AdviceKey.LARGER_PICTURE: ("照片太小，请换一张更清楚的。", "This picture is too small. Use a larger one."),
        AdviceKey.STILL_PICTURE: ("请用静态照片，不要用动图。", "Use a still picture, not an animated one."),
        AdviceKey.SHOW_FACE: ("请让整张脸出现在画面中。", "Make sure that your whole face is in the picture."),
        AdviceKey.ALONE: ("画面中只能有您一个人。", "Make sure that nobody else is in the picture."),
        AdviceKey.CLOSER: ("请靠近一点。", "Come a little closer."),
        AdviceKey.FURTHER: ("请离远一点。", "Move a little further away."),
        AdviceKey.CENTRE: ("请把脸移到画面中间。", "Move your face to the middle of the picture."),
        AdviceKey.LOOK_STRAIGHT: ("请正对摄像头。", "Look straight into the camera."),
        AdviceKey.LEVEL_EYES: (
            "请把摄像头放到与眼睛同高，平视摄像头。",
            "Hold the camera at the height of your eyes and look into it.",
        ),
        AdviceKey.UPRIGHT: ("请把头摆正，不要歪头。", "Hold your head upright."),
        AdviceKey.HOLD_STILL: ("画面模糊：请擦净镜头，保持不动。", "The picture is blurred. Wipe the lens and hold still."),
        AdviceKey.MORE_LIGHT: ("光线太暗，请到亮一点的地方。", "It is too dark. Go where there is more light."),
        AdviceKey.FROM_THE_WALL: (
            "请离身后的墙远一些，把手机拿近一点。",
            "Sit further from the wall behind you, and hold the phone nearer.",
        ),
        AdviceKey.LESS_LIGHT: ("光线太亮，请避开强光。", "It is too bright. Move away from the strong light."),
        AdviceKey.EVEN_LIGHT: ("请面对光源，不要背光或侧光。", "Face the light, so that it falls evenly on your face."),
        AdviceKey.UNCOVER: ("请摘下口罩、墨镜等遮挡物。", "Take off whatever covers your face, such as a mask or sunglasses."),
        AdviceKey.OPEN_EYES: ("请睁开眼睛。", "Keep your eyes open."),
        AdviceKey.LIVE_FACE: (
            "请本人直接面对摄像头，不要用照片或屏幕。",
            "Show your own face to the camera, not a photo or a screen.",
        ),
        AdviceKey.FOLLOW: (
            "请等提示出现后再做动作，每次只做提示的动作。",
            "Wait until you are asked, and do only what you are asked to do.",
        ),
        AdviceKey.SCREEN_LIGHT: (
            "请把屏幕调到最亮，避开强光，脸靠近屏幕。",
            "Set your screen to full brightness, away from strong light, and keep your face close to it.",
        ),
        AdviceKey.STEADY_LINE: (
            "网络不稳定，请换到信号更好的地方再试。",
            "Your connection is unsteady. Try again where it is better.",
        ),
        AdviceKey.OTHER_CAMERA: (
            "请使用设备自带的摄像头，过程中不要切换。",
            "Use the camera of your device, and do not switch it on the way.",
        ),
        AdviceKey.DOCUMENT_FLAT: (
            "请把证件单独平放在深色桌面上，四边都要拍到。",
            "Lay the document alone on a plain, dark table and take in all four edges.",
        ),
        AdviceKey.DOCUMENT_WHOLE: (
            "证件没有拍全，请离远一点，四个角都要在画面中。",
            "Part of the document is missing. Move back until all four corners are in the picture.",
        ),
        AdviceKey.DOCUMENT_CLOSER: ("证件太小，请靠近一点再拍。", "The document is too small. Take the picture from nearer."),
        AdviceKey.DOCUMENT_STILL: (
            "证件模糊：请擦净镜头，等对焦后再拍。",
            "The document is blurred. Wipe the lens, hold still and let it focus.",
        ),
        AdviceKey.DOCUMENT_TILT: (
            "证件反光：请关闭闪光灯，换个角度再拍。",
            "Light is reflected by the document. Turn off the flash and change the angle.",
        ),
        AdviceKey.DOCUMENT_LIGHT: (
            "光线太暗，请到亮一点的地方再拍证件。",
            "It is too dark. Take the picture where there is more light.",
        ),
        AdviceKey.DOCUMENT_KNOWN: (
            "请使用居民身份证、护照或带机读码的身份证件。",
            "Use a Chinese resident identity card, a passport, or an identity card with a machine readable zone.",
        ),
        AdviceKey.DOCUMENT_UNCOVERED: (
            "证件没有看清，请不要遮挡文字和照片，重拍一张。",
            "It cannot be read. Leave text and portrait uncovered and take another picture.",
        ),
        AdviceKey.DOCUMENT_NAME: (
            "姓名由机器识别，可能有误，请与证件逐字核对。",
            "The name was read by a machine and may be wrong. Compare it with the document letter by letter.",
        ),
        AdviceKey.DOCUMENT_VALID: ("证件不在有效期内，请换有效的证件。", "The document is not valid today. Use one that is."),
        AdviceKey.TRY_AGAIN: ("请稍后再试。", "Please try again in a moment."),
        AdviceKey.AGENT: ("请联系客服人员继续办理。", "Please continue with an agent."),
    }
)


def advice(reason: ReasonCode, language: str) -> str:
    """What to do about ``reason``. An unknown language is answered in English."""
    chinese, english = WORDS[ADVICE[reason]]
    return chinese if language.split("-")[0].lower() == "zh" else english


def advice_for(reasons: Iterable[ReasonCode], language: str) -> list[str]:
    """For several reasons, each sentence once, in their order."""
    return list(dict.fromkeys(advice(reason, language) for reason in reasons))
