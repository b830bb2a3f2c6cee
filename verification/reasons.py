"""Every reason the engine gives for not being content, and which advice goes with it.

A reason is stable and public: it stands in answers, in evidence and in policies. What a person can do about it is said in
their language by ``advice.py``; several reasons can have the same advice.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class ReasonCode(StrEnum):
    # --- the picture as a file (verification/images.py)
    IMAGE_EMPTY = "image_empty"
    IMAGE_TOO_LARGE = "image_too_large"
    """More bytes than allowed."""
    IMAGE_TOO_MANY_PIXELS = "image_too_many_pixels"
    IMAGE_TOO_SMALL = "image_too_small"
    """Fewer pixels than a face needs."""
    IMAGE_FORMAT_UNKNOWN = "image_format_unknown"
    IMAGE_TRUNCATED = "image_truncated"
    IMAGE_FOREIGN_DATA = "image_foreign_data"
    """Something that is no picture hides in it or behind it."""
    IMAGE_ANIMATED = "image_animated"
    IMAGE_BROKEN = "image_broken"

    # --- a clip instead of pictures (verification/engine/clips.py)
    CLIP_FORMAT_UNKNOWN = "clip_format_unknown"
    CLIP_TOO_LARGE = "clip_too_large"
    """More bytes or larger pictures than allowed."""
    CLIP_TOO_LONG = "clip_too_long"
    CLIP_BROKEN = "clip_broken"

    # --- the face in it
    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    FACE_TOO_SMALL = "face_too_small"
    FACE_TOO_NEAR = "face_too_near"
    FACE_CUT_OFF = "face_cut_off"
    FACE_TURNED = "face_turned"
    """To a side (yaw)."""
    FACE_UP_OR_DOWN = "face_up_or_down"
    """Looks up or down (pitch)."""
    FACE_TILTED = "face_tilted"
    """Leans to a shoulder (roll)."""
    BLURRED = "blurred"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    LOW_CONTRAST = "low_contrast"
    UNEVEN_LIGHT = "uneven_light"
    OCCLUDED = "occluded"
    EYES_CLOSED = "eyes_closed"

    # --- what was compared
    NO_MATCH = "no_match"

    PORTRAIT_UNSURE = "portrait_unsure"
    """Too many of an attempt's frames are not like the portrait, though most are."""

    # --- passive presentation attack detection
    PAD_ATTACK = "pad_attack"
    PAD_UNSURE = "pad_unsure"
    PAD_UNAVAILABLE = "pad_unavailable"
    """The pack has no such model."""

    # --- active liveness (verification/challenge)
    EVIDENCE_MISSING = "evidence_missing"
    """A check that the policy asks for was not made."""
    NOT_SETTLED = "not_settled"
    """Never looked straight into the camera, calmly, for half a second."""
    FACE_LOST = "face_lost"
    FACE_CHANGED = "face_changed"
    """Not the same person in all frames."""
    FACE_STILL = "face_still"
    """One picture all along: nothing of a living face changes in it."""
    ACTION_MISSED = "action_missed"
    """Not done in time."""
    ACTION_BEFORE_ASKED = "action_before_asked"
    ACTION_OTHER = "action_other"
    """Something else was done than what was asked for."""
    ACTION_REPLACED = "action_replaced"
    """They said that they could not do what was asked, and another took its place."""
    ACTIONS_LEFT_NONE = "actions_left_none"
    """Nothing is left that they can do."""
    ATTEMPT_ENDED = "attempt_ended"
    OBSERVATION_INVALID = "observation_invalid"
    """A model said of a frame what cannot be."""
    LIGHT_UNANSWERED = "light_unanswered"
    """The colours of the screen are not seen in the face."""
    LIGHT_UNSEEN = "light_unseen"
    """Face or background are too dark, burnt out or not in the picture: their colours cannot be told."""
    LIGHT_BEHIND = "light_behind"
    """As much of the colours comes from behind as from the face: a wall close behind them, or colours that were added to the picture."""
    LIGHT_EARLY = "light_early"
    LIGHT_LATE = "light_late"
    LIGHT_DECLINED = "light_declined"
    PAD_TOO_FEW = "pad_too_few"
    """Fewer frames than the mean needs."""
    STREAM_FROZEN = "stream_frozen"
    STREAM_REPEATED = "stream_repeated"
    """A frame came again, to the last bit."""
    STREAM_LOOPED = "stream_looped"
    STREAM_JUMPED = "stream_jumped"
    """From one frame to the next, face, head or scene went where nothing goes so quickly: cuts."""
    STREAM_TIMES = "stream_times"
    """Time stamps that go back, that jump and do not come back, or that run at another speed than time."""
    STREAM_GAP = "stream_gap"
    """The picture stopped for a moment, or came late and then all at once: what lies between was not seen."""
    STREAM_RATE = "stream_rate"
    """A frame rate that no camera has."""
    STREAM_SIZE = "stream_size"
    """A size that no camera has, or another shape in the middle."""
    STREAM_TOO_SHORT = "stream_too_short"
    STREAM_TOO_LONG = "stream_too_long"
    ASSURANCE_MISSING = "assurance_missing"
    """The policy asks for something beside the picture."""

    # --- an identity document (verification/documents)
    DOCUMENT_NOT_FOUND = "document_not_found"
    DOCUMENT_CUT_OFF = "document_cut_off"
    """A part of it is outside of the picture."""
    DOCUMENT_TOO_SMALL = "document_too_small"
    DOCUMENT_BLURRED = "document_blurred"
    DOCUMENT_GLARE = "document_glare"
    DOCUMENT_TOO_DARK = "document_too_dark"
    DOCUMENT_TYPE_UNKNOWN = "document_type_unknown"
    """None of the documents that are known: nothing of it is read."""
    DOCUMENT_UNREADABLE = "document_unreadable"
    """Something that must be on it was not read, or not surely."""
    DOCUMENT_CHECK_FAILED = "document_check_failed"
    """A check digit says no."""
    DOCUMENT_CONTRADICTORY = "document_contradictory"
    """What it says in one place is not what it says in another."""
    DOCUMENT_EXPIRED = "document_expired"
    DOCUMENT_NOT_YET_VALID = "document_not_yet_valid"
    DOCUMENT_NO_PORTRAIT = "document_no_portrait"
    DOCUMENT_PORTRAIT_UNCLEAR = "document_portrait_unclear"
    """A face is not where that kind of document has its portrait, or there is another one as large."""
    DOCUMENT_NOT_SHOWN = "document_not_shown"
    """Nothing that is known was before the camera in time."""
    DOCUMENT_BACK_MISSING = "document_back_missing"
    """One side was read, the other one not in time."""
    DOCUMENT_OTHER_PERSON = "document_other_person"
    """The portrait on it is not the face that was before the camera, or not the reference's."""
    DOCUMENT_PORTRAIT_UNSURE = "document_portrait_unsure"
    """The portrait on it is somewhat like the face, and not enough."""
    PICTURE_OF_DOCUMENT = "picture_of_document"
    """Instead of its bearer: the picture to compare with shows a document, too."""
    DOCUMENT_NAME_UNCONFIRMED = "document_name_unconfirmed"
    """Nothing but one reading says so: no check digit, and it was not found a second time. A caution, against nothing."""

    # --- the engine (verification/engine)
    ENGINE_BUSY = "engine_busy"
    ENGINE_LOST = "engine_lost"
    DEADLINE_MISSED = "deadline_missed"


class AdviceKey(StrEnum):
    """What a person can do; words in ``advice.py``."""

    OTHER_PICTURE = "other_picture"
    OTHER_CLIP = "other_clip"
    SMALLER_PICTURE = "smaller_picture"
    LARGER_PICTURE = "larger_picture"
    STILL_PICTURE = "still_picture"
    SHOW_FACE = "show_face"
    ALONE = "alone"
    CLOSER = "closer"
    FURTHER = "further"
    CENTRE = "centre"
    LOOK_STRAIGHT = "look_straight"
    LEVEL_EYES = "level_eyes"
    UPRIGHT = "upright"
    HOLD_STILL = "hold_still"
    MORE_LIGHT = "more_light"
    LESS_LIGHT = "less_light"
    EVEN_LIGHT = "even_light"
    UNCOVER = "uncover"
    OPEN_EYES = "open_eyes"
    LIVE_FACE = "live_face"
    FOLLOW = "follow"
    SCREEN_LIGHT = "screen_light"
    FROM_THE_WALL = "from_the_wall"
    STEADY_LINE = "steady_line"
    OTHER_CAMERA = "other_camera"
    DOCUMENT_FLAT = "document_flat"
    DOCUMENT_WHOLE = "document_whole"
    DOCUMENT_CLOSER = "document_closer"
    DOCUMENT_STILL = "document_still"
    DOCUMENT_TILT = "document_tilt"
    DOCUMENT_LIGHT = "document_light"
    DOCUMENT_KNOWN = "document_known"
    DOCUMENT_UNCOVERED = "document_uncovered"
    DOCUMENT_VALID = "document_valid"
    DOCUMENT_NAME = "document_name"
    TRY_AGAIN = "try_again"
    AGENT = "agent"


ADVICE: Mapping[ReasonCode, AdviceKey] = MappingProxyType(
    {
        ReasonCode.IMAGE_EMPTY: AdviceKey.OTHER_PICTURE,
        ReasonCode.IMAGE_TOO_LARGE: AdviceKey.SMALLER_PICTURE,
        ReasonCode.IMAGE_TOO_MANY_PIXELS: AdviceKey.SMALLER_PICTURE,
        ReasonCode.IMAGE_TOO_SMALL: AdviceKey.LARGER_PICTURE,
        ReasonCode.IMAGE_FORMAT_UNKNOWN: AdviceKey.OTHER_PICTURE,
        ReasonCode.IMAGE_TRUNCATED: AdviceKey.OTHER_PICTURE,
        ReasonCode.IMAGE_FOREIGN_DATA: AdviceKey.OTHER_PICTURE,
        ReasonCode.IMAGE_ANIMATED: AdviceKey.STILL_PICTURE,
        ReasonCode.IMAGE_BROKEN: AdviceKey.OTHER_PICTURE,
        ReasonCode.CLIP_FORMAT_UNKNOWN: AdviceKey.OTHER_CLIP,
        ReasonCode.CLIP_TOO_LARGE: AdviceKey.OTHER_CLIP,
        ReasonCode.CLIP_TOO_LONG: AdviceKey.OTHER_CLIP,
        ReasonCode.CLIP_BROKEN: AdviceKey.OTHER_CLIP,
        ReasonCode.NO_FACE: AdviceKey.SHOW_FACE,
        ReasonCode.SEVERAL_FACES: AdviceKey.ALONE,
        ReasonCode.FACE_TOO_SMALL: AdviceKey.CLOSER,
        ReasonCode.FACE_TOO_NEAR: AdviceKey.FURTHER,
        ReasonCode.FACE_CUT_OFF: AdviceKey.CENTRE,
        ReasonCode.FACE_TURNED: AdviceKey.LOOK_STRAIGHT,
        ReasonCode.FACE_UP_OR_DOWN: AdviceKey.LEVEL_EYES,
        ReasonCode.FACE_TILTED: AdviceKey.UPRIGHT,
        ReasonCode.BLURRED: AdviceKey.HOLD_STILL,
        ReasonCode.TOO_DARK: AdviceKey.MORE_LIGHT,
        ReasonCode.TOO_BRIGHT: AdviceKey.LESS_LIGHT,
        ReasonCode.LOW_CONTRAST: AdviceKey.EVEN_LIGHT,
        ReasonCode.UNEVEN_LIGHT: AdviceKey.EVEN_LIGHT,
        ReasonCode.OCCLUDED: AdviceKey.UNCOVER,
        ReasonCode.EYES_CLOSED: AdviceKey.OPEN_EYES,
        ReasonCode.PORTRAIT_UNSURE: AdviceKey.AGENT,
        ReasonCode.NO_MATCH: AdviceKey.AGENT,
        ReasonCode.PAD_ATTACK: AdviceKey.LIVE_FACE,
        ReasonCode.PAD_UNSURE: AdviceKey.LIVE_FACE,
        ReasonCode.PAD_UNAVAILABLE: AdviceKey.AGENT,
        ReasonCode.EVIDENCE_MISSING: AdviceKey.AGENT,
        ReasonCode.NOT_SETTLED: AdviceKey.LOOK_STRAIGHT,
        ReasonCode.FACE_LOST: AdviceKey.SHOW_FACE,
        ReasonCode.FACE_CHANGED: AdviceKey.ALONE,
        ReasonCode.FACE_STILL: AdviceKey.LIVE_FACE,
        ReasonCode.ACTION_MISSED: AdviceKey.FOLLOW,
        ReasonCode.ACTION_BEFORE_ASKED: AdviceKey.FOLLOW,
        ReasonCode.ACTION_OTHER: AdviceKey.FOLLOW,
        ReasonCode.ACTION_REPLACED: AdviceKey.AGENT,
        ReasonCode.ACTIONS_LEFT_NONE: AdviceKey.AGENT,
        ReasonCode.ATTEMPT_ENDED: AdviceKey.TRY_AGAIN,
        ReasonCode.OBSERVATION_INVALID: AdviceKey.TRY_AGAIN,
        ReasonCode.LIGHT_UNANSWERED: AdviceKey.SCREEN_LIGHT,
        ReasonCode.LIGHT_UNSEEN: AdviceKey.MORE_LIGHT,
        ReasonCode.LIGHT_BEHIND: AdviceKey.FROM_THE_WALL,
        ReasonCode.LIGHT_EARLY: AdviceKey.LIVE_FACE,
        ReasonCode.LIGHT_LATE: AdviceKey.SCREEN_LIGHT,
        ReasonCode.LIGHT_DECLINED: AdviceKey.AGENT,
        ReasonCode.PAD_TOO_FEW: AdviceKey.TRY_AGAIN,
        ReasonCode.STREAM_FROZEN: AdviceKey.STEADY_LINE,
        ReasonCode.STREAM_REPEATED: AdviceKey.LIVE_FACE,
        ReasonCode.STREAM_LOOPED: AdviceKey.LIVE_FACE,
        ReasonCode.STREAM_JUMPED: AdviceKey.LIVE_FACE,
        ReasonCode.STREAM_TIMES: AdviceKey.STEADY_LINE,
        ReasonCode.STREAM_GAP: AdviceKey.STEADY_LINE,
        ReasonCode.STREAM_RATE: AdviceKey.STEADY_LINE,
        ReasonCode.STREAM_SIZE: AdviceKey.OTHER_CAMERA,
        ReasonCode.STREAM_TOO_SHORT: AdviceKey.STEADY_LINE,
        ReasonCode.STREAM_TOO_LONG: AdviceKey.TRY_AGAIN,
        ReasonCode.ASSURANCE_MISSING: AdviceKey.AGENT,
        ReasonCode.DOCUMENT_NOT_FOUND: AdviceKey.DOCUMENT_FLAT,
        ReasonCode.DOCUMENT_CUT_OFF: AdviceKey.DOCUMENT_WHOLE,
        ReasonCode.DOCUMENT_TOO_SMALL: AdviceKey.DOCUMENT_CLOSER,
        ReasonCode.DOCUMENT_BLURRED: AdviceKey.DOCUMENT_STILL,
        ReasonCode.DOCUMENT_GLARE: AdviceKey.DOCUMENT_TILT,
        ReasonCode.DOCUMENT_TOO_DARK: AdviceKey.DOCUMENT_LIGHT,
        ReasonCode.DOCUMENT_TYPE_UNKNOWN: AdviceKey.DOCUMENT_KNOWN,
        ReasonCode.DOCUMENT_UNREADABLE: AdviceKey.DOCUMENT_UNCOVERED,
        ReasonCode.DOCUMENT_CHECK_FAILED: AdviceKey.DOCUMENT_UNCOVERED,
        ReasonCode.DOCUMENT_CONTRADICTORY: AdviceKey.AGENT,
        ReasonCode.DOCUMENT_EXPIRED: AdviceKey.DOCUMENT_VALID,
        ReasonCode.DOCUMENT_NOT_YET_VALID: AdviceKey.DOCUMENT_VALID,
        ReasonCode.DOCUMENT_NO_PORTRAIT: AdviceKey.DOCUMENT_UNCOVERED,
        ReasonCode.DOCUMENT_PORTRAIT_UNCLEAR: AdviceKey.DOCUMENT_UNCOVERED,
        ReasonCode.DOCUMENT_NOT_SHOWN: AdviceKey.DOCUMENT_KNOWN,
        ReasonCode.DOCUMENT_BACK_MISSING: AdviceKey.DOCUMENT_KNOWN,
        ReasonCode.DOCUMENT_OTHER_PERSON: AdviceKey.AGENT,
        ReasonCode.DOCUMENT_PORTRAIT_UNSURE: AdviceKey.AGENT,
        ReasonCode.PICTURE_OF_DOCUMENT: AdviceKey.LIVE_FACE,
        ReasonCode.DOCUMENT_NAME_UNCONFIRMED: AdviceKey.DOCUMENT_NAME,
        ReasonCode.ENGINE_BUSY: AdviceKey.TRY_AGAIN,
        ReasonCode.ENGINE_LOST: AdviceKey.TRY_AGAIN,
        ReasonCode.DEADLINE_MISSED: AdviceKey.TRY_AGAIN,
    }
)
