"""Who the customer is and how Cal.com and the salon can reach them.

Identity comes from the signed caller number only; a number or an address the caller merely names is a way to reach
them, never proof of who they are. Every customer has an e-mail of their own (incident I1: one shared fallback address
gave two people one booking).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass

_E164 = re.compile(r"\+[1-9]\d{7,14}")
_PHONE_PUNCTUATION = re.compile(r"[\s()./\u00a0\u2010-\u2015-]")
_EMAIL = re.compile(
    r"(?=.{3,254}\Z)(?=[^@]{1,64}@)"
    r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]"
)
_HONORIFICS = frozenset({"herr", "frau", "hr", "fr", "dr", "prof", "mr", "mrs", "ms"})
_ADDRESSES = {"herr": "herr", "herrn": "herr", "hr": "herr", "mr": "herr"} | dict.fromkeys(
    ("frau", "fr", "mrs", "ms"), "frau"
)
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_WITHHELD = frozenset({"+266696687", "+7378742833", "+86282452253", "+8656696", "+2562533"})
"""ANONYMOUS, RESTRICTED, UNAVAILABLE, UNKNOWN and BLOCKED on a telephone's keys: what some networks send for a withheld
number. They look like E.164, and would make one customer of everybody who withholds theirs."""
MAX_NAME = 80
"""Longest name we take, in characters (reliability 6.2)."""


@dataclass(frozen=True, slots=True)
class Customer:
    """A person with an appointment.

    `id` is stable for one caller number within a tenant and says nothing about it; `phone` is E.164 or unknown;
    `email` is lower case and the customer's own: real, or made in the tenant's placeholder domain.
    """

    id: str
    name: str
    email: str
    phone: str | None = None

    @property
    def is_nobody(self) -> bool:
        """Whether they were erased: an id, and nothing by which anybody could be reached or named."""
        return not (self.name or self.email or self.phone)


def normalise_phone(text: str | None, *, country_code: str) -> str | None:
    """The number as E.164, or None for anything that is not one: withheld, `anonymous_…`, too short or too long.

    `country_code` is the tenant's, digits only ("49"); it replaces the leading 0 of a national number. Cal.com stores
    whatever it is given (calcom-observed 3), so this is the only check.
    """
    if text is None:
        return None
    bare = _PHONE_PUNCTUATION.sub("", text.strip().replace("(0)", ""))
    if bare.startswith("00"):
        bare = "+" + bare[2:]
    elif bare.startswith("0"):
        bare = f"+{country_code}{bare[1:]}"
    return bare if _E164.fullmatch(bare) and bare.isascii() and bare not in _WITHHELD else None


def normalise_email(text: str | None) -> str | None:
    """The address in lower case (Cal.com's filter is case-sensitive, calcom-observed 3), or None if it is not one."""
    if text is None:
        return None
    lowered = text.strip().lower()
    return lowered if _EMAIL.fullmatch(lowered) else None


def clean_name(text: str | None) -> str | None:
    """The name as it may be stored and shown: one line, no control or direction characters; None if nothing is left."""
    name = one_line(text, most=MAX_NAME)
    return name if name is not None and any(char.isalpha() for char in name) else None


def one_line(text: str | None, *, most: int) -> str | None:
    """Text that somebody said as it may be stored and shown: one line of at most `most` characters, none of them a
    control or direction character; None if nothing is left."""
    if text is None:
        return None
    visible = "".join(" " if char.isspace() else char for char in text if _is_plain(char))
    return " ".join(visible.split())[:most].strip() or None


def _is_plain(char: str) -> bool:
    return char.isspace() or unicodedata.category(char)[0] != "C"


def name_identity(name: str) -> str:
    """What stays the same of a name however a model spells it: no case, accents, titles or double spaces."""
    folded = unicodedata.normalize("NFC", name).casefold().translate(_UMLAUTS)
    ascii_only = unicodedata.normalize("NFKD", folded)
    words = re.findall(r"[^\W_]+", "".join(char for char in ascii_only if not unicodedata.combining(char)))
    return " ".join(word for word in words if word not in _HONORIFICS) or " ".join(words)


def may_be_one_person(name: str, other: str) -> bool:
    """Whether two names can be spellings of one: every word of the shorter is in the longer ("Schuster").

    Herr and Frau Schuster are two people, whatever their names have in common.
    """
    if {_address(name), _address(other)} == {"herr", "frau"}:
        return False
    words, others = set(name_identity(name).split()), set(name_identity(other).split())
    return words <= others or others <= words


def _address(name: str) -> str | None:
    """How somebody is addressed: "herr", "frau", or not said."""
    for word in re.findall(r"[^\W_]+", name.casefold()):
        if word in _ADDRESSES:
            return _ADDRESSES[word]
    return None


def customer_id(tenant: str, *, caller: str | None, call: str) -> str:
    """Who this is to us: the signed caller number where there is one, else this call.

    Not the name: a model spells it in many ways, and each would be a customer of their own.

    `caller` is E.164 or None (withheld). A digest, so that keys and indexes carry no number.
    """
    known_by = f"tel|{caller}" if caller else f"call|{call}"
    return hashlib.sha256(f"{tenant}|{known_by}".encode()).hexdigest()[:24]


def placeholder_email(customer: str, *, domain: str) -> str:
    """The address of a customer who gave none: stable, their own, and in a domain that is the tenant's."""
    return f"kunde-{customer}@{domain}".lower()


def is_placeholder(email: str, *, domain: str) -> bool:
    """Whether nothing must ever be sent to this address."""
    return email.lower().endswith("@" + domain.lower())
