"""`python -m bookend erase`: take a person out of everything that is kept here. It prints ids, and nobody's data."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from bookend.application.erasing import Erasure, erase, plan
from bookend.application.ports.erasure import RecordKind
from bookend.cli_shell import OK, dependencies, refuse
from bookend.domain.contacts import customer_id, normalise_phone
from bookend.domain.timeslot import instant_text

_WHAT = {
    RecordKind.CUSTOMER: "how to reach them: deleted",
    RecordKind.CALLBACK: "a wish to be rung: deleted",
    RecordKind.EVENT: "a delivery of Cal.com: its body is emptied",
    RecordKind.CASE: "a closed case: without name, number, address and answers",
    RecordKind.TEXT: "a text that is owed: sent or settled first",
}


def add_to(groups: Any) -> None:
    """The command, as one of the groups of the parser."""
    parser = groups.add_parser(
        "erase",
        help="take a person out of everything that is kept here; says what it would do until --apply is given",
        description="Take name, number and address of a person out of appointments that are over or cancelled, and of "
        "their record, wishes to be rung, deliveries and closed cases. Appointments ahead must be cancelled first. It "
        "reads the table as a whole. Cal.com has the person as well: their bookings there are listed at the end.",
    )
    parser.add_argument("tenant", help="the tenant's id")
    parser.add_argument("--table", required=True, help="name of the table (output TableName of the stack)")
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--customer", help="the customer's id, as an appointment has it")
    who.add_argument("--phone", help="their number, +49… or as it is dialled in the salon's country")
    parser.add_argument("--apply", action="store_true", help="really erase; it cannot be undone")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(run=_erase)


def _erase(options: argparse.Namespace) -> int:
    deps = dependencies(options)
    tenant = deps.tenants.of_id(options.tenant)
    if tenant is None:
        return refuse(f"there is no tenant {options.tenant}")
    phone = normalise_phone(options.phone, country_code=tenant.country_code)
    if options.phone and phone is None:
        return refuse("that is no telephone number")
    customer = options.customer or customer_id(tenant.id, caller=phone, call="")
    now = deps.clock.now()
    erasure = plan(deps.people.of(tenant.id, customer=customer, phone=phone), now=now)
    _tell(erasure, as_json=options.json)
    if not erasure.is_possible:
        return refuse(
            "Nothing was erased: cancel what is ahead, close what is open, then come again. A text is sent within "
            "minutes; if it is not: texts settle."
        )
    if not erasure.appointments and not erasure.records:
        return OK
    if not options.apply:
        sys.stderr.write("Nothing was erased. Add --apply to erase; it cannot be undone.\n")
        return OK
    erased = erase(tenant.id, erasure, people=deps.people, now=now)
    if erased.changed:
        return refuse(f"{erased.cleared} erased; changed meanwhile, so do it again: {', '.join(erased.changed)}")
    sys.stderr.write(f"{erased.cleared} rows are without them now.\n")
    return OK


def _tell(erasure: Erasure, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(_as_json(erasure), ensure_ascii=False, indent=2) + "\n")
        return
    lines = [
        *(f"ahead        {each.id}  {each.state.value}  {instant_text(each.slot.start)}" for each in erasure.ahead),
        *(f"still open   {each.kind.value} {each.name}" for each in erasure.waiting),
    ]
    # What keeps it from being done stands above: of the rest nothing is done then, and nothing is said.
    if erasure.is_possible:
        lines += [f"appointment  {each.id}: without name, number, address and answer" for each in erasure.appointments]
        what = {kind: words.partition(": ")[2] for kind, words in _WHAT.items()}
        lines += [f"{each.kind.value:<12} {each.name}: {what[each.kind]}" for each in erasure.records]
    if not lines:
        lines.append("Nothing is kept of them here.")
    if erasure.doubtful:
        lines += ["", "Only an address in common, so perhaps somebody else. Look, then erase each by --customer:"]
        lines += erasure.doubtful
    if erasure.bookings:
        lines += ["", "At Cal.com, to be erased there by hand (delete the attendee or the booking):", *erasure.bookings]
    sys.stdout.writelines(line + "\n" for line in lines)


def _as_json(erasure: Erasure) -> dict[str, Any]:
    return {
        "customers": sorted(erasure.customers),
        "appointments": [each.id for each in erasure.appointments],
        "records": [f"{each.kind.value} {each.name}" for each in erasure.records],
        "ahead": [each.id for each in erasure.ahead],
        "waiting": [f"{each.kind.value} {each.name}" for each in erasure.waiting],
        "doubtful": list(erasure.doubtful),
        "at_calcom": list(erasure.bookings),
    }
