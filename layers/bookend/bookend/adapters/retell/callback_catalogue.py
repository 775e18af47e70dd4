"""The sentences about being rung by a person, by language. Placeholders: see `catalogue`.

Noted is all that they promise: nobody knows when somebody will ring, and nothing is booked by it.
"""

from __future__ import annotations

from collections.abc import Mapping

DE: Mapping[str, str] = {
    "callback_noted": (
        "Ich habe notiert, dass Sie unter der Nummer zurückgerufen werden möchten, mit der Sie gerade telefonieren. "
        "Gebucht oder geändert ist damit noch nichts."
    ),
    "callback_noted_as_named": (
        "Ich habe notiert, dass Sie unter der genannten Nummer zurückgerufen werden möchten. "
        "Gebucht oder geändert ist damit noch nichts."
    ),
    "callback_need_name": "Auf welchen Namen darf ich den Rückruf notieren?",
    "callback_need_phone": "Unter welcher Telefonnummer, mit Vorwahl, möchten Sie zurückgerufen werden?",
    "callback_too_many": "Weitere Rückrufe kann ich heute leider nicht notieren. {callback}",
    "callback_not_noted": (
        "Ich kann gerade nicht sicher sagen, ob Ihr Rückrufwunsch notiert ist. "
        "Bitte versuchen Sie es in wenigen Minuten erneut oder rufen Sie uns direkt an."
    ),
}

EN: Mapping[str, str] = {
    "callback_noted": (
        "I have noted that you would like to be called back on the number you are calling with. "
        "Nothing is booked or changed by that yet."
    ),
    "callback_noted_as_named": (
        "I have noted that you would like to be called back on the number you gave me. "
        "Nothing is booked or changed by that yet."
    ),
    "callback_need_name": "Under which name may I note the callback?",
    "callback_need_phone": "On which telephone number, with its area code, would you like to be called back?",
    "callback_too_many": "I'm sorry, I cannot note any more callbacks today. {callback}",
    "callback_not_noted": (
        "I cannot say for certain just now whether your callback is noted. "
        "Please try again in a few minutes or call us directly."
    ),
}
