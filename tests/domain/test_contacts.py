"""Numbers, addresses and names as models and networks send them, and who that makes a customer."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bookend.domain.contacts import (
    MAX_NAME,
    clean_name,
    customer_id,
    is_placeholder,
    may_be_one_person,
    name_identity,
    normalise_email,
    normalise_phone,
    placeholder_email,
)

properties = settings(derandomize=True, max_examples=200, deadline=None, database=None)
DOMAIN = "kunden.friseur1.example"


class TestPhones:
    @pytest.mark.parametrize(
        "said",
        [
            "+491701234567",
            "00491701234567",
            "01701234567",
            "0170 1234567",
            "0170/1234567",
            "0170-123-45-67",
            "(0170) 1234567",
            "+49 (0) 170 1234567",
            "+49(0)170.123.4567",
            "0049 (0)170 1234567",
            "  +49\u00a0170\u202f1234567 ",
            "+49\u2013170\u20131234567",
        ],
    )
    def test_one_number_in_many_spellings(self, said: str) -> None:
        assert normalise_phone(said, country_code="49") == "+491701234567"

    def test_a_national_number_is_the_tenants_country(self) -> None:
        assert normalise_phone("0664 1234567", country_code="43") == "+436641234567"

    @pytest.mark.parametrize("said", ["+4312345678", "+442071234567", "+15551234567"])
    def test_a_foreign_number_stays_foreign(self, said: str) -> None:
        assert normalise_phone(said, country_code="49") == said

    @pytest.mark.parametrize(
        "said",
        [
            None,
            "",
            "   ",
            "anonymous",
            "Anonymous",
            "unknown",
            "unavailable",
            "restricted",
            "private",
            "anonymous_1700000000_ab12",
            "anonymous_1700000000",
            "null",
            "{{user_number}}",
            "sip:anonymous@anonymous.invalid",
            "web_call",
        ],
    )
    def test_a_withheld_number_is_none(self, said: str | None) -> None:
        assert normalise_phone(said, country_code="49") is None

    @pytest.mark.parametrize("spelt", ["+266696687", "+7378742833", "+86282452253", "+8656696", "+2562533"])
    def test_words_on_the_keypad_are_no_number(self, spelt: str) -> None:
        """ANONYMOUS, RESTRICTED, UNAVAILABLE, UNKNOWN, BLOCKED: else all who withhold theirs were one customer."""
        assert normalise_phone(spelt, country_code="49") is None
        assert normalise_phone("00" + spelt[1:], country_code="49") is None

    @pytest.mark.parametrize(
        "said",
        [
            "+1234567",
            "+1234567890123456",
            "0170",
            "0",
            "00",
            "+",
            "110",
            "1701234567",
            "+0491701234567",
            "+49170123456x",
            "+49170123456;drop",
            "++491701234567",
            "+491701234567\x00",
            "+\u0664\u0669170123456",
            "+49170123456\u0667",
            "+49170123456\uff17",
            "+49170123456\u00b2",
            "\u202e+491701234567",
            "9" * 10_000,
        ],
    )
    def test_what_is_no_number_is_none(self, said: str) -> None:
        assert normalise_phone(said, country_code="49") is None

    @given(st.text(max_size=40) | st.text("+0123456789 ()-/.", max_size=24))
    @properties
    def test_whatever_is_said_the_result_is_e164_and_stable(self, said: str) -> None:
        phone = normalise_phone(said, country_code="49")
        if phone is not None:
            assert phone[0] == "+"
            assert phone[1:].isdigit()
            assert phone.isascii()
            assert 9 <= len(phone) <= 16
            assert normalise_phone(phone, country_code="49") == phone


class TestEmails:
    @pytest.mark.parametrize(
        ("said", "address"),
        [
            ("Hans.Schuster@Example.DE", "hans.schuster@example.de"),
            ("  hans+termin@mail.example.co.uk ", "hans+termin@mail.example.co.uk"),
            ("o'neill@example.com", "o'neill@example.com"),
            ("a@b.co", "a@b.co"),
        ],
    )
    def test_an_address_is_lower_case(self, said: str, address: str) -> None:
        assert normalise_email(said) == address

    @pytest.mark.parametrize(
        "said",
        [
            None,
            "",
            "hans",
            "hans@",
            "@example.de",
            "hans@localhost",
            "hans@example",
            "hans schuster@example.de",
            "hans@@example.de",
            "hans@exa_mple.de",
            "hans@-example.de",
            "hans@example.de\nbcc: x@y.de",
            "hans.@example.de",
            ".hans@example.de",
            "ha..ns@example.de",
            "hans@example.1",
            "hans@münchen.de",
            "hans@example.de, x@example.de",
            "Hans <hans@example.de>",
            "a" * 65 + "@example.de",
            "a@" + "b" * 64 + ".de",
            "a@" + ".".join(["b" * 60] * 5) + ".de",
            "hans at example punkt de",
            "a" * 10_000,
        ],
    )
    def test_what_is_no_address_is_none(self, said: str | None) -> None:
        assert normalise_email(said) is None


class TestNames:
    @pytest.mark.parametrize(
        ("said", "name"),
        [
            ("Hans Schuster", "Hans Schuster"),
            ("  Hans \n\t Schuster  ", "Hans Schuster"),
            ("Hans\x00Schuster\x1b[31m", "HansSchuster[31m"),
            ("Hans\u202eretsuhcS\u202c", "HansretsuhcS"),
            ("\u2066Hans\u2069", "Hans"),
            ("Zoë 💇 Müller", "Zoë 💇 Müller"),
            ("Hans\u200bSchuster", "HansSchuster"),
            ("李小龍", "李小龍"),
            ("O'Neill-Strauß", "O'Neill-Strauß"),
            ("Hans\u2028Schuster", "Hans Schuster"),
        ],
    )
    def test_a_name_is_one_line_of_visible_characters(self, said: str, name: str) -> None:
        assert clean_name(said) == name

    @pytest.mark.parametrize("said", [None, "", " ", "\u202e\u200b", "123", "💇", "...", "\x00\x01"])
    def test_what_holds_no_letter_is_no_name(self, said: str | None) -> None:
        assert clean_name(said) is None

    def test_ten_kilobytes_become_eighty_characters(self) -> None:
        assert clean_name("ab " * 4000) == ("ab " * 27)[:MAX_NAME].strip()

    @given(st.text(max_size=200))
    @properties
    def test_whatever_is_said_nothing_invisible_is_stored(self, said: str) -> None:
        name = clean_name(said)
        if name is not None:
            assert 0 < len(name) <= MAX_NAME
            assert name == " ".join(name.split())
            assert not [char for char in name if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co"}]
            assert clean_name(name) == name

    @pytest.mark.parametrize(
        "spelling",
        ["hans mueller", "Herr Hans Müller", "HANS MÜLLER", "Hans Mu\u0308ller", "Dr. Hans Müller", "Hans  Mueller."],
    )
    def test_spellings_of_one_name_are_one_identity(self, spelling: str) -> None:
        assert name_identity(spelling) == name_identity("Hans Müller")

    def test_other_names_are_other_identities(self) -> None:
        names = ["Hans Müller", "Hans Muller-Schmidt", "Hansi Müller", "Max Müller", "Frau", "Müller"]
        assert len({name_identity(name) for name in names}) == len(names)

    def test_a_title_alone_is_still_somebody(self) -> None:
        assert name_identity("Frau") == "frau"

    @pytest.mark.parametrize(
        ("one", "other", "same"),
        [
            ("Schuster", "Hans Schuster", True),
            ("Herr Schuster", "hans SCHUSTER", True),
            ("Hans Schuster", "Max Schuster", False),
            ("Hans Schuster", "Hansi Sputer", False),
            ("Herr Schuster", "Frau Schuster", False),
            ("Herrn Hans Schuster", "Schuster", True),
            ("Frau Schuster", "Ute Schuster", True),
        ],
    )
    def test_a_shorter_spelling_may_be_the_same_person_and_another_first_name_is_not(
        self, one: str, other: str, same: bool
    ) -> None:
        assert may_be_one_person(one, other) is same
        assert may_be_one_person(other, one) is same


class TestIdentity:
    def test_two_withheld_callers_never_share(self) -> None:
        ids = {
            customer_id("t", caller=None, call="call_1"),
            customer_id("t", caller=None, call="call_2"),
        }
        assert len(ids) == 2

    def test_the_same_number_is_the_same_customer_whatever_the_call_and_the_name(self) -> None:
        one = customer_id("t", caller="+491701234567", call="call_1")
        assert one == customer_id("t", caller="+491701234567", call="call_2")
        assert one != customer_id("t", caller="+491701234568", call="call_1")

    def test_tenants_share_no_customer(self) -> None:
        assert customer_id("t1", caller="+491701234567", call="c") != customer_id(
            "t2", caller="+491701234567", call="c"
        )

    def test_the_id_says_nothing_about_the_number(self) -> None:
        assert "1701234567" not in customer_id("t", caller="+491701234567", call="c")

    @given(st.lists(st.from_regex(r"\A\+[1-9][0-9]{7,14}\Z"), min_size=2, max_size=20, unique=True))
    @properties
    def test_placeholder_addresses_are_valid_and_never_shared_between_numbers(self, phones: list[str]) -> None:
        addresses = [placeholder_email(customer_id("t", caller=phone, call="c"), domain=DOMAIN) for phone in phones]
        assert len(set(addresses)) == len(phones)
        for address in addresses:
            assert normalise_email(address) == address
            assert is_placeholder(address, domain=DOMAIN)

    def test_a_real_address_is_no_placeholder(self) -> None:
        assert not is_placeholder("hans@example.de", domain=DOMAIN)
        assert not is_placeholder("hans@evil-kunden.friseur1.example.de", domain=DOMAIN)
        assert is_placeholder("KUNDE-1@Kunden.Friseur1.example", domain=DOMAIN)
