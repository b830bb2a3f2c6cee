"""What the pages show of an account and of an order. Pure but for the templates' files."""

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from server.demo_bank.books import Order
from server.demo_bank.drawings import portrait
from server.demo_bank.products import LOSS, PASSWORD, PEOPLE, PHONE, TYPES, USHIELD, Account, changed, masked
from server.demo_bank.render import Html, Renderer, icon
from server.demo_bank.settings import Settings

BEIJING = timezone(timedelta(hours=8))
DRAWINGS = {PASSWORD: "password", LOSS: "loss", PHONE: "phone", USHIELD: "ushield"}
PERSON = "person"
IDENTIFIED = "identified_by_agent"
REVIEWED = {"approved_in_review": "approved", "declined_in_review": "not_approved", "review_overdue": "not_approved"}
LOCKED = ("locked", "customer_locked")


def clock(renderer: Renderer, at: float) -> str:
    """Seconds since 1970, in the bank's own time, which is named: who tries the demo may be anywhere."""
    return renderer.word("at_time", time=datetime.fromtimestamp(at, BEIJING).strftime("%Y-%m-%d %H:%M"))


def fingerprint(details: Mapping[str, str]) -> str:
    """Of details without fractions and with keys of letters: their canonical form (RFC 8785), SHA-256, base64url."""
    form = json.dumps(details, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(hashlib.sha256(form).digest()).rstrip(b"=").decode()


class Views:
    """Of one visitor."""

    def __init__(self, renderer: Renderer, settings: Settings, form_token: str) -> None:
        self._r, self._settings, self._form = renderer, settings, form_token
        self.bank = settings.name_zh if renderer.language == "zh" else settings.name_en

    def name(self, customer: str) -> str:
        return PEOPLE[customer].name_zh if self._r.language == "zh" else PEOPLE[customer].name_en

    def sign_in(self) -> Html:
        rows = [
            {
                "id": one.id,
                "name": self.name(one.id),
                "about": self._r.word(one.about),
                "portrait": Html(portrait(one.id)),
                "form_token": self._form,
            }
            for one in PEOPLE.values()
        ]
        return self._r.page("sign_in", {"people": self._r.pages("person", rows)})

    def note(self, *words: str, workbench: bool = True) -> Html:
        """For whoever tries the demo, and not for a bank's customer."""
        r = self._r
        said = Html("".join(r.page("paragraph", {"text": one}) for one in words))
        link = r.page("to_workbench", {"workbench": self._settings.workbench_url}) if workbench else Html()
        return r.page("note", {"said": said, "link": link})

    def _why(self, order: Order) -> list[str]:
        """What Tongping told the bank, which a bank keeps to itself."""
        return [self._r.word("why_note", reasons=self.reasons(order.reasons))] if order.reasons else []

    def home(self, account: Account) -> Html:
        r, person = self._r, PEOPLE[account.customer]
        rows = [
            {"type": type, "title": r.word(type), "lead": r.word(f"{type}_lead"), "drawing": icon(DRAWINGS[type])}
            for type in TYPES
            if not (account.card_blocked_at and type in (PASSWORD, LOSS))
        ]
        services = r.pages("service", rows)
        if account.card_blocked_at:
            services = Html(r.page("new_card", {"form_token": self._form}) + services)
        return r.page(
            "home",
            {
                "hello": r.word("hello", name=self.name(account.customer)),
                "bank": self.bank,
                "name": self.name(account.customer),
                "card": account.card,
                "blocked": "blocked" if account.card_blocked_at else "",
                "stamp": r.page("stamp", {}) if account.card_blocked_at else Html(),
                "balance": person.balance,
                "pin": self._since(account.pin_set_at),
                "phone": masked(account.phone),
                "ushield": self._since(account.ushield_set_at),
                "branch": r.page("at_branch" if account.template else "to_branch", {}),
                "transfer": r.page("to_transfer", {}),
                "services": services,
                "note": self.note(self._r.word("pack_note")) if self._settings.pack == "base" and account.template else Html(),
            },
        )

    def _since(self, at: float) -> str:
        return self._r.word("changed_at", time=clock(self._r, at)) if at else self._r.word("unchanged")

    def branch(self, account: Account) -> Html:
        erase = self._r.page("erase", {"form_token": self._form}) if account.template else Html()
        return self._r.page("branch", {"form_token": self._form, "erase": erase})

    def ways(self, type: str) -> Html:
        """For whom no face is known: before anything is filled in."""
        return self._r.page("ways", {"drawing": icon(DRAWINGS[type]), "title": self._r.word(type), "type": type})

    def form(self, type: str, account: Account, order: str, today: str, *, way: str) -> Html:
        """``way``: ``person`` without a face, or ``face``."""
        r, person = self._r, PEOPLE[account.customer]
        lead = {
            PASSWORD: r.word("card_line", card=account.card),
            LOSS: r.word("card_line", card=account.card),
            PHONE: r.word("phone_lead", phone=masked(account.phone)),
            USHIELD: r.word("ushield_lead", serial=person.ushield),
        }[type]
        fields = {
            PASSWORD: lambda: r.page("field_secret", {"label": r.word("new_password"), "most": "6"}),
            LOSS: lambda: r.page("field_lost", {"today": today}),
            PHONE: lambda: r.page("field_phone", {}),
            USHIELD: lambda: r.page("field_secret", {"label": r.word("new_pin"), "most": "8"}),
        }[type]()
        return r.page(
            "form",
            {
                "drawing": icon(DRAWINGS[type]),
                "title": r.word(type),
                "lead": lead,
                "form_token": self._form,
                "type": type,
                "order": order,
                "fields": fields,
                "way": way,
                "next": r.word("next_person" if way == PERSON else "next_check"),
                "next_lead": r.word("next_person_lead" if way == PERSON else "next_check_lead"),
            },
        )

    # ---- orders

    def order(self, order: Order, change: Html, *, by_person: bool = False) -> Html:
        """``by_person``: no face is known of the customer."""
        r = self._r
        tone, drawing, now, words, action, note = self._now(order)
        if by_person and order.state == "waiting" and order.case_state == "open" and order.link:
            words, note = [r.word("at_open_person")], self.note(r.word("at_open_person_demo"))
        open = not order.settled and order.state != "redeeming" and order.case_state != "checking"
        return r.page(
            "order",
            {
                "id": order.id,
                "version": str(order.version),
                "settled": "yes" if order.settled else "no",
                "title": r.word(order.type),
                "steps": self._steps(order),
                "tone": tone,
                "drawing": icon(drawing),
                "now": now,
                "words": Html("".join(r.page("paragraph", {"text": one}) for one in words)),
                "action": action,
                "note": note,
                "cancel": r.page("cancel", {"id": order.id, "form_token": self._form}) if open and order.case_id else Html(),
                "decision": Html(self._decision(order) + change),
                "details": r.page("details", {"rows": self._details(order)}),
            },
        )

    def _now(self, order: Order) -> tuple[str, str, str, list[str], Html, Html]:
        """Tone, drawing, title, words, what can be pressed, what stands below."""
        r, none = self._r, Html()
        if order.state == "done":
            phone = masked(order.details.get("new_phone", ""))
            done = r.word(f"done_{order.type}", phone=phone) if order.type == PHONE else r.word(f"done_{order.type}")
            return "good", "good", done, [r.word("done_lead", time=clock(r, order.done_at))], none, none
        if order.state == "refused":
            why = r.known(f"fault_{order.fault}", r.word("fault_other", code=order.fault))
            if order.fault in LOCKED:
                return "bad", "bad", r.word("refused_title"), [why], r.page("anew", {"form_token": self._form}), none
            again = r.page("link", {"href": f"/new/{order.type}", "text": r.word("order_again")})
            told = self._why(order)
            return "bad", "bad", r.word("refused_title"), [why], again, self.note(*told, workbench=False) if told else none
        if order.state == "unclear":
            again = r.page("link", {"href": f"/new/{order.type}", "text": r.word("order_again")})
            lead = r.word("unclear_changed" if order.fault == "changed" else "unclear_lead")
            return "bad", "bad", r.word("unclear_title"), [lead], again, none
        if order.state == "redeeming" or order.case_state in ("accepted", "rejected"):
            return "wait", "wait", r.word("at_redeeming"), [], none, none
        if order.state == "asking":
            return "wait", "wait", r.word("at_asking_trouble" if order.fault else "at_asking"), [], none, none
        if order.case_state in ("review", "second_review"):
            demo = r.word("at_review_demo" if order.case_state == "review" else "at_second_demo")
            title = r.word(f"at_{order.case_state}")
            lead = "at_review_person_lead" if IDENTIFIED in order.reasons else "at_review_lead"
            return "wait", "person", title, [r.word(lead)], none, self.note(demo, *self._why(order))
        if order.case_state == "checking":
            return "wait", "face", r.word("at_checking"), [r.word("at_checking_lead")], none, none
        if not order.link:
            return "bad", "bad", r.word("at_open_none"), [], none, none
        go_on = r.page("link", {"href": order.link, "text": r.word("go_on")})
        told = self._why(order)
        note = self.note(*told, workbench=False) if told else none
        return "wait", "face", r.word("at_open"), [r.word("at_open_lead", left=str(order.attempts_left))], go_on, note

    def _steps(self, order: Order) -> Html:
        if order.state == "done":
            reached = 4
        elif order.state in ("redeeming", "unclear"):
            reached = 3
        elif order.claims is not None or order.case_state in ("review", "second_review", "accepted"):
            reached = 2
        else:
            reached = 1 if order.state != "asking" else 0
        stopped = order.state in ("refused", "unclear")
        rows = []
        way = "agent" if IDENTIFIED in order.reasons else (order.claims or {}).get("assurance", "")
        shown = {"agent": "step_identified", "clip": "step_uploaded", "images": "step_uploaded"}.get(way, "step_shown")
        for number, key in enumerate(("step_ordered", shown, "step_decided", "step_done")):
            if number < reached or (number == 0 and stopped):
                state, drawing = "past", "good"
            elif number == reached:
                state, drawing = ("stopped", "bad") if stopped else ("now", "wait")
            else:
                state, drawing = "ahead", "wait"
            rows.append({"state": state, "drawing": icon(drawing), "text": self._r.word(key)})
        return self._r.pages("step", rows)

    def _details(self, order: Order) -> Html:
        rows = [{"name": self._r.word(f"detail_{name}"), "value": value} for name, value in order.details.items()]
        return self._r.pages("claim", rows)

    def reason(self, code: str) -> str:
        """Of Tongping's reasons, in words where there are some."""
        return self._r.known(f"reason_{code}", code)

    def reasons(self, codes: list[str]) -> str:
        between = "；" if self._r.language == "zh" else "; "
        return between.join(self.reason(code) for code in codes) or self._r.word("none")

    def assurance(self, claims: Mapping[str, Any]) -> str:
        """How it was shown that it is them. That all was done that was asked is said where a machine has seen it, and nowhere else."""
        way, reasons, r = claims["assurance"], claims["reasons"], self._r
        reviewed = next((REVIEWED[code] for code in reasons if code in REVIEWED), None)
        done = way == "live" and claims["decision"] == "accept" and reviewed is None
        said = r.known(f"assurance_{way}_done" if done else f"assurance_{way}", way)
        return said if reviewed is None else r.word(f"assurance_{reviewed}", way=said)

    def _decision(self, order: Order) -> Html:
        claims, r = order.claims, self._r
        if claims is None:
            return Html()
        rows = {
            "claim_decision": r.word(f"decision_{claims['decision']}"),
            "claim_signature": r.word("claim_signature_good"),
            "claim_assurance": self.assurance(claims),
            "claim_reasons": self.reasons(claims["reasons"]),
            "claim_risk": r.known(f"risk_{claims['risk_level']}", claims["risk_level"]),
            "claim_hash": r.page("code", {"text": claims["details_hash"]}),
            "claim_policy": r.page("code", {"text": claims["policy_hash"][:16] + "…"}),
            "claim_case": r.page("code", {"text": claims["case"]}),
            "claim_hooks": r.word("claim_hooks_value", count=str(order.hooks)),
        }
        if order.redeemed_at:
            rows["claim_redeemed"] = r.word("claim_once", time=clock(r, datetime.fromisoformat(order.redeemed_at).timestamp()))
        words = "decision" if claims["decision"] == "accept" else "decision_no"
        return r.page(
            "decision",
            {
                "title": r.word(words),
                "lead": r.word(f"{words}_lead"),
                "rows": r.pages("claim", [{"name": r.word(key), "value": value} for key, value in rows.items()]),
            },
        )

    def change(self, order: Order) -> Html:
        """The offer to try it, once something was carried out."""
        if order.state != "done" or not order.token:
            return Html()
        name, value = changed(order.type, order.details)
        lead = self._r.word("change_lead", name=self._r.word(f"detail_{name}"), value=value)
        return self._r.page("change", {"id": order.id, "lead": lead, "form_token": self._form})

    def changed(self, details: dict[str, str], signed: str, code: str) -> Html:
        why = self._r.known(f"check_{code}", self._r.word("check_other", code=code))
        said = self._r.word("change_refused", why=why)
        return self._r.page("changed", {"said": said, "signed": signed, "now": fingerprint(details)})

    def history(self, orders: list[Order]) -> Html:
        r, rows = self._r, []
        for one in orders:
            kind, tone = {"done": ("done", ""), "refused": ("refused", "bad"), "unclear": ("refused", "bad")}.get(
                one.state, ("open", "wait")
            )
            reasons = (one.claims or {}).get("reasons", one.reasons)
            why = [self.assurance(one.claims)] if one.claims is not None and one.claims["assurance"] else []
            rows.append(
                {
                    "id": one.id,
                    "tone": tone,
                    "drawing": icon(DRAWINGS[one.type]),
                    "title": r.word(one.type),
                    "time": clock(r, one.ordered_at),
                    "state": r.word(f"state_{kind}"),
                    "why": " · ".join([*why, *([self.reasons(reasons)] if reasons else [])]),
                }
            )
        empty = Html() if rows else r.page("paragraph", {"text": r.word("history_empty")})
        return r.page("history", {"rows": r.pages("record", rows), "empty": empty})
