"""A verification told on one page of HTML, for a court or an auditor: no script, nothing from elsewhere, every text escaped. Sans-I/O."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape

from server.audit.events import AuditEntry
from server.domain.ids import STAFF, is_id
from server.domain.model import ConsentScope, Language, Staff
from server.services.verification_evidence import Kept
from server.transactions.case import Attempt, Case
from server.transactions.lock import ended_through_us
from server.transactions.material import PictureKind, ReferenceShown
from server.transactions.policy import Policy

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #16181d; background: #fff }
h1 { font-size: 1.6rem } h2 { font-size: 1.25rem; margin-top: 2.5rem; border-bottom: 1px solid #c5cad3 }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 } th, td { text-align: start; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid #e3e6eb } td { overflow-wrap: anywhere }
th { width: 16rem; font-weight: 600 } thead th { width: auto } code { font: 13px/1.4 ui-monospace, monospace; overflow-wrap: anywhere }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: 1rem } figure { margin: 0; break-inside: avoid } img { width: 100%; height: auto; display: block }
figcaption { font-size: 13px; overflow-wrap: anywhere } .bad { color: #a31515; font-weight: 600 }
"""

_WORDS = {
    "title": ("核验案卷", "Record of a verification"),
    "made": ("制作时间（UTC）", "Made at (UTC)"),
    "case": ("案件", "Case"),
    "type": ("交易类型", "Transaction"),
    "state": ("结果状态", "State"),
    "customer": ("客户（银行的代号）", "Customer (the bank's pseudonym)"),
    "consent": ("客户同意书存放处", "Where the customer's consent is kept"),
    "created": ("申请时间", "Asked for at"),
    "ended": ("结束时间", "Ended at"),
    "redeemed": ("兑付时间", "Redeemed at"),
    "details": ("交易要素摘要（SHA-256）", "Hash of the transaction's details (SHA-256)"),
    "policy": ("策略摘要", "Hash of the policy"),
    "session": ("会话", "Session"),
    "decision": ("决定", "Decision"),
    "reasons": ("理由", "Reasons"),
    "assurance": ("取证方式", "Kind of proof"),
    "risk": ("风险", "Risk"),
    "reviews": ("人工审核", "Reviews by people"),
    "approved": ("批准", "Approved"),
    "declined": ("拒绝", "Declined"),
    "identified": ("由坐席识别客户", "Identified by an agent"),
    "reference": ("对照照片", "Reference picture"),
    "attempt": ("第 {n} 次尝试", "Attempt {n}"),
    "began": ("开始", "Began"),
    "outcome": ("结论", "Outcome"),
    "fault": ("故障", "Fault"),
    "match": ("与对照的相似度 / 阈值", "Likeness to the reference / threshold"),
    "frames": ("看过的画面数", "Frames looked at"),
    "pack": ("模型包", "Model pack"),
    "rules": ("风险规则", "Rules of risk"),
    "model": ("风险模型", "Model of risk"),
    "script": ("指令脚本摘要", "Hash of the script"),
    "digest": ("证据清单摘要", "Digest of the sealed manifest"),
    "check": ("检查", "Check"),
    "score": ("分数", "Score"),
    "none": ("没有留存画面。", "No pictures are kept of it."),
    "lost": ("证据读不出：{code}", "The evidence cannot be read: {code}"),
    "no_reference": (
        "没有对照照片：登记时只留了模板、没有留照片，或者策略不要求留存。",
        "There is no reference picture: of the enrolment a template was kept and no picture, or the policy keeps none.",
    ),
    "reference_changed": (
        "没有对照照片：核验期间模板或照片更换或删除了，比对所用的那一张没有留下。",
        "There is no reference picture: template or portrait was replaced or erased meanwhile, and the one that was compared with was not kept.",
    ),
    "reference_lost": ("对照照片无法读取，没有留下。", "The reference picture could not be read, and was not kept."),
    "agreed": ("客户同意的事项", "What the customer agreed to"),
    "scope": ("同意事项", "To what"),
    "wording": ("告知文本版本", "Version of the text"),
    "language": ("语言", "Language"),
    "text": ("告知文本的 SHA-256", "SHA-256 of the text"),
    "given": ("同意时间", "Given at"),
    "not_ours": ("无：不是本系统页面的文本", "none: not a text of our pages"),
    "ids_alone": (
        "当时的证据只记了同意的编号：{ids}；内容见 case.json 的 consents。",
        "The evidence of that time has the consents' ids alone: {ids}; what they say: consents in case.json.",
    ),
    "trail": ("审计记录", "Audit trail"),
    "number": ("序号", "Number"),
    "when": ("时间", "Time"),
    "who": ("操作者", "Actor"),
    "what": ("事项", "Event"),
    "hash": ("摘要", "Hash"),
    "account_off": ("账号已于 {at} 停用", "account switched off at {at}"),
    "no_account": ("账号已不存在", "no such account any more"),
    "excused": ("因我方原因结束", "Ended through us"),
    "excused_attempt": (
        "是：因本系统或银行一方的原因结束，一般不计为客户的失败",
        "Yes: by a fault of this system, or by the bank; as a rule no failure of the customer",
    ),
    "excused_reason": ("{code}（因我方原因，不作数）", "{code} (through us, does not count)"),
    "how": ("如何核对：见同目录的 README.txt。", "How to check it: see README.txt beside this page."),
}
_SCOPES = {ConsentScope.FACE: ("核验人脸", "Check of the face"), ConsentScope.DOCUMENT: ("识别证件", "Reading of the document")}
_LANGUAGES = {Language.ZH: ("中文", "Chinese"), Language.EN: ("英文", "English")}
_KINDS = {
    "first": ("第一张合格画面", "First good picture"), "action": ("动作", "Action"), "colour": ("屏幕颜色", "Colour of the screen"),
    "match": ("最相似的画面", "Most alike"), "last": ("最后一张", "Last"), "upload": ("上传的照片", "Uploaded"), "document": ("证件", "Document"),
    "reference": ("对照照片", "Reference"),
}  # fmt: skip


_NO_REFERENCE = {
    ReferenceShown.NONE: "no_reference",
    ReferenceShown.CHANGED: "reference_changed",
    ReferenceShown.LOST: "reference_lost",
}


class Page:
    """``hashes``: hex SHA-256 of each picture's file, by its path beside the page. ``staff``: accounts, by id, of those who are named on it."""

    def __init__(self, language: Language, hashes: Mapping[str, str], staff: Mapping[str, Staff]) -> None:
        self._at = 0 if language is Language.ZH else 1
        self._language, self._hashes, self._staff = language, hashes, staff

    def written(
        self,
        case: Case,
        attempts: Sequence[Attempt],
        policy: Policy | None,
        kept: Sequence[Kept],
        trail: Sequence[AuditEntry],
        made: datetime,
    ) -> str:
        title = getattr(policy.title, self._language.value) if policy is not None else case.type
        parts = [
            f"<h1>{self._say('title')}</h1><p>{escape(title)}</p><p>{self._say('how')}</p>",
            self._facts(
                ("case", case.id), ("type", case.type), ("state", case.state.value), ("customer", case.customer), ("consent", case.consent),
                ("created", _time(case.created_at)), ("ended", _time(case.ended_at)), ("redeemed", _time(case.redeemed_at)),
                ("details", case.details_hash), ("policy", case.policy_hash), ("session", case.session_id or ""), ("made", _time(made)),
            ),
        ]  # fmt: skip
        if case.decided is not None:
            decided = case.decided
            parts.append(f"<h2>{self._say('decision')}</h2>")
            parts.append(
                self._facts(
                    ("outcome", decided.outcome.value), ("reasons", " ".join(decided.reasons)),
                    ("assurance", decided.assurance.value if decided.assurance is not None else ""),
                    ("risk", decided.risk_level.value if decided.risk_level is not None else ""), ("pack", decided.pack_hash),
                    ("rules", decided.rules_hash), ("model", decided.model_hash),
                )
            )  # fmt: skip
        if case.identified is not None:
            named = case.identified
            rows = [
                ("who", self._who(named.by)),
                ("when", _time(named.at)),
                ("what", " ".join(one.value for one in named.methods)),
                ("reasons", named.note),
            ]
            parts += [f"<h2>{self._say('identified')}</h2>", self._facts(*rows)]
        if case.reviews:
            by_people = [
                (
                    _time(one.at),
                    escape(self._who(one.by)),
                    self._say("approved" if one.approved else "declined"),
                    escape(one.note),
                )
                for one in case.reviews
            ]
            parts += [f"<h2>{self._say('reviews')}</h2>", self._table(("when", "who", "decision", "reasons"), by_people)]
        by_attempt = {one.attempt.id: one for one in kept if one.attempt is not None}
        for one in kept:
            if one.attempt is None:
                parts += [f"<h2>{self._say('reference')}</h2>", self._pictures(one, "pictures")]
        for attempt in attempts:
            parts.append(self._attempt(attempt, by_attempt.get(attempt.id), by_template=case.template is not None))
        entries = [
            (
                str(entry.number),
                _time(entry.event.at),
                escape(self._who(entry.event.actor)),
                escape(entry.event.action.value),
                f"<code>{entry.hash.hex()}</code>",
            )
            for entry in trail
        ]
        parts += [f"<h2>{self._say('trail')}</h2>", self._table(("number", "when", "who", "what", "hash"), entries)]
        return (
            f'<!doctype html><html lang="{self._language.value}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f"<title>{self._say('title')} {escape(case.id)}</title><style>{_STYLE}</style><main>{''.join(parts)}</main></html>\n"
        )

    def _attempt(self, attempt: Attempt, kept: Kept | None, *, by_template: bool) -> str:
        checked, risk = attempt.checked, attempt.risk
        head = f"<h2>{self._say('attempt').format(n=attempt.number)}</h2>"
        rows = [
            ("began", _time(attempt.started_at)), ("ended", _time(attempt.ended_at)), ("assurance", attempt.assurance.value),
            ("outcome", attempt.outcome.value if attempt.outcome is not None else ""), ("reasons", " ".join(attempt.reasons)),
            ("digest", attempt.evidence), ("excused", self._say("excused_attempt") if ended_through_us(attempt) else ""),
        ]  # fmt: skip
        checks = ""
        if checked is not None:
            threshold = "" if checked.match_threshold is None else f"{checked.match_threshold:.4f}"
            rows += [
                ("match", "" if checked.match_score is None else f"{checked.match_score:.4f} / {threshold}"), ("frames", str(checked.frames)),
                ("pack", f"{checked.pack_name} {checked.pack_hash}"), ("script", checked.script_hash), ("fault", checked.fault or ""),
            ]  # fmt: skip
            checks = self._table(
                ("check", "outcome", "score", "reasons"),
                [
                    (
                        escape(one.name.value),
                        one.outcome.value,
                        "" if one.score is None else f"{one.score:.4f}",
                        escape(" ".join(self._reason(code, one.excused) for code in one.reasons)),
                    )
                    for one in checked.checks
                ],
            )
        if risk is not None:
            words = "; ".join(f"{getattr(one, self._language.value)} ({one.contribution:+.2f})" for one in risk.reasons)
            rows.append(("risk", f"{risk.level.value} {risk.score:.2f} {words}"))
        return (
            head
            + self._facts(*rows)
            + checks
            + self._agreed(kept)
            + (self._pictures(kept, f"pictures/{attempt.number}") if kept is not None else f"<p>{self._say('none')}</p>")
            + self._without_reference(kept, by_template)
        )

    def _agreed(self, kept: Kept | None) -> str:
        """As it was sealed with the attempt; of evidence from before it was, the ids."""
        if kept is None or kept.facts is None:
            return ""
        rows = [
            (
                escape(f"{_SCOPES[one.scope][self._at]} ({one.scope.value})" if one.scope in _SCOPES else one.scope.value),
                f"<code>{escape(one.wording)}</code>",
                escape(_LANGUAGES[one.language][self._at]),
                f"<code>{escape(one.text)}</code>" if one.text else self._say("not_ours"),
                _time(one.given_at),
                f"<code>{escape(one.participant)}</code>",
            )
            for one in kept.facts.agreed
        ]
        if rows:
            head = f"<h3>{self._say('agreed')}</h3>"
            return head + self._table(("scope", "wording", "language", "text", "given", "who"), rows)
        ids = kept.facts.consents[1:]
        return f"<p>{self._say('ids_alone').format(ids=escape(' '.join(ids)))}</p>" if ids else ""

    def _without_reference(self, kept: Kept | None, by_template: bool) -> str:
        """Why there is nothing that the pictures can be held against."""
        if kept is None or kept.facts is None or not kept.pictures:
            return ""
        reference = kept.facts.reference
        if reference not in _NO_REFERENCE or (reference is ReferenceShown.NONE and not by_template):
            return ""
        return f"<p>{self._say(_NO_REFERENCE[reference])}</p>"

    def _pictures(self, kept: Kept, folder: str) -> str:
        if kept.lost:
            return f'<p class="bad">{self._say("lost").format(code=escape(kept.lost))}</p>'
        shown = []
        for one in kept.pictures:
            path = f"{folder}/{one.name}.jpg"
            told = [_KINDS[one.kind.value][self._at], *([escape(one.asked)] if one.asked else [])]
            told += [] if one.kind is PictureKind.REFERENCE else [f"{one.at_ms / 1000:.1f} s"]
            told += [
                f"{name} {value:.3f}"
                for name, value in (("match", one.match), ("pad", one.pad), ("quality", one.quality))
                if value is not None
            ]
            digest = self._hashes.get(path, "")
            missing = "" if digest else f'<span class="bad">{self._say("lost").format(code="")}</span>'
            image = f'<img src="{escape(path)}" alt="{escape(one.name)}">' if digest else missing
            shown.append(f"<figure>{image}<figcaption>{' · '.join(told)}<br><code>{digest}</code></figcaption></figure>")
        return f'<div class="pictures">{"".join(shown)}</div>'

    def _who(self, id: str) -> str:
        """The id, and the name where it is of staff: as it is now."""
        staff = self._staff.get(id)
        if staff is None:
            return f"{id} ({self._say('no_account')})" if is_id(id, STAFF) else id
        off = "" if staff.disabled_at is None else f", {self._say('account_off').format(at=_time(staff.disabled_at))}"
        return f"{staff.name} ({id}{off})"

    def _reason(self, code: str, excused: Sequence[str]) -> str:
        return self._say("excused_reason").format(code=code) if code in excused else code

    def _say(self, key: str) -> str:
        return _WORDS[key][self._at]

    def _facts(self, *rows: tuple[str, str]) -> str:
        told = "".join(
            f"<tr><th>{self._say(key)}</th><td><code>{escape(value)}</code></td></tr>" for key, value in rows if value
        )
        return f"<table>{told}</table>"

    def _table(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
        """Cells are HTML already."""
        head = "".join(f"<th>{self._say(key)}</th>" for key in heads)
        body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _time(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "Z"
