"""Every sentence the caller may hear, by language. A test holds that the languages have the same sentences.

Placeholders: {time}, {times}, {others} and {wanted} are adverbials of time ("um 9 Uhr", "am Montag, 27. Oktober, um
9 Uhr 30"), with their day where it is not the one asked for; {day} is one too ("heute", "am Montag, 27. Oktober"),
{when} is either, and {part} is a part of a day ("vormittags"). {first}, {last} and {today} are bare days. {service},
{staff}, {services} and {known} are names, {most} is a number, {callback} a sentence. A sentence may begin with any of
them: it gets its capital when it is said.
"""

from __future__ import annotations

from collections.abc import Mapping

from bookend.adapters.retell import callback_catalogue, change_catalogue
from bookend.domain.saying import Language

_DE: Mapping[str, str] = {
    "free_exact": "Ja, {time} ist ein Termin für {service} frei.",
    "free_exact_or": "Ja, {time} ist ein Termin für {service} frei. Möglich wäre es auch {others}.",
    "free_instead": "{wanted} ist leider kein Termin für {service} frei. Möglich wäre es {times}.",
    "free_perhaps_more": "Für {service} wäre es {times} möglich; alle Zeiten kann ich gerade nicht einsehen.",
    "free_on_day": "Ein Termin für {service} wäre {times} möglich.",
    "free_in_part": "{part} wäre ein Termin für {service} {times} möglich, sonst {others}.",
    "free_not_in_part": "{part} ist leider kein Termin für {service} frei. Möglich wäre es {times}.",
    "free_other_day": "{day} ist für {service} leider nichts frei. Möglich wäre es {times}.",
    "suits_which": "Was passt Ihnen?",
    "suits_it": "Passt Ihnen das?",
    "nothing_free": (
        "Von {first}, bis {last}, ist für {service} leider nichts frei. Soll ich nach einem späteren Tag schauen?"
    ),
    "booked": "Ihr Termin ist gebucht: {service} {time} bei {staff}.",
    "taken_race": "Der Termin {time} wurde gerade von einem anderen Kunden gebucht.",
    "taken": "Der Termin {time} ist leider nicht frei.",
    "instead": "Möchten Sie stattdessen {times} kommen?",
    "ask_other_time": "Soll ich nach einer anderen Zeit schauen?",
    "still_open": (
        "Ihr Termin {time} ist noch offen: Die Bestätigung der Terminverwaltung steht aus. "
        "Sie bekommen in wenigen Minuten eine Nachricht, ob er gebucht ist."
    ),
    "has_one": "Sie haben {time} bereits einen Termin für diese Leistung.",
    "past": "Dieser Zeitpunkt liegt in der Vergangenheit. Heute ist {today}. Welchen Tag meinen Sie?",
    "rule_past": "Dieser Zeitpunkt ist schon vorbei.",
    "rule_out_of_bounds": "{time} kann ich leider nicht buchen: Das ist zu kurzfristig oder zu weit im Voraus.",
    "rule_limit": "{time} kann ich leider nicht buchen: Es sind bereits zu viele Termine gebucht.",
    "policy_too_soon": (
        "{when} kann ich leider keinen Termin mehr buchen: Das ist zu kurzfristig. Buchen kann ich frühestens {time}."
    ),
    "policy_too_far": (
        "{when} kann ich noch keinen Termin buchen: Das ist zu weit im Voraus. Zurzeit kann ich bis {last}, buchen."
    ),
    "policy_too_many_open": (
        "Mehr als {most} Termine im Voraus kann ich für Sie leider nicht buchen, und so viele haben Sie bereits. "
        "{callback}"
    ),
    "policy_one_open": (
        "Mehr als einen Termin im Voraus kann ich für Sie leider nicht buchen, und einen haben Sie bereits. {callback}"
    ),
    "policy_number_withheld": (
        "Ich sehe Ihre Rufnummer nicht, und ohne sie kann ich leider keinen Termin buchen. "
        "Mit angezeigter Nummer wäre es möglich. {callback}"
    ),
    "not_booked": "Der Termin konnte leider nicht gebucht werden. {callback}",
    "temporary": (
        "Die Terminverwaltung ist vorübergehend nicht erreichbar. "
        "Bitte versuchen Sie es in wenigen Minuten erneut oder rufen Sie uns direkt an."
    ),
    "need_service": "Welche Leistung wünschen Sie, zum Beispiel {known}?",
    "need_staff": "Diesen Namen finde ich für diese Leistung leider nicht. Möchten Sie zu {known}?",
    "unknown_service": "Diese Leistung finde ich bei uns leider nicht.",
    "which_of_them": "Was davon wünschen Sie?",
    "done_by_one": "{service} macht bei uns {known}. Möchten Sie dort einen Termin?",
    "done_by_several": "{service} machen bei uns {known}. Zu wem möchten Sie?",
    "need_date": "Für welchen Tag möchten Sie den Termin?",
    "need_time": "Um wie viel Uhr möchten Sie den Termin?",
    "need_name": "Auf welchen Namen darf ich den Termin buchen?",
    "need_email": (
        "Diese E-Mail-Adresse scheint nicht zu stimmen. Wie lautet sie genau, oder soll ich ohne E-Mail-Adresse buchen?"
    ),
    "need_offer": "Welchen der genannten Termine möchten Sie?",
    "not_a_time": "Das habe ich nicht verstanden. Welchen Tag und welche Uhrzeit meinen Sie?",
    "skipped_time": (
        "Diese Uhrzeit gibt es an diesem Tag nicht, weil die Uhren vorgestellt werden. "
        "Welche andere Uhrzeit passt Ihnen?"
    ),
    "twice_time": "Diese Uhrzeit gibt es in dieser Nacht zweimal: {times}. Welche meinen Sie?",
    "too_far": "So weit im Voraus kann ich nicht buchen. Heute ist {today}. Welchen Tag meinen Sie?",
    "services": "Wir bieten {services}.",
    "some_services": "Wir bieten unter anderem {services}.",
    "no_services": "Hier kann ich zurzeit leider keine Termine buchen. {callback}",
    "unknown_function": "Das kann ich leider nicht.",
    "unknown_tenant": "Für diesen Anschluss ist keine Terminbuchung eingerichtet.",
    "callback": "Bitte rufen Sie uns direkt an.",
    "and": "und",
}

_EN: Mapping[str, str] = {
    "free_exact": "Yes, an appointment for {service} is free {time}.",
    "free_exact_or": "Yes, an appointment for {service} is free {time}. It would also be possible {others}.",
    "free_instead": "I'm sorry, no appointment for {service} is free {wanted}. It would be possible {times}.",
    "free_perhaps_more": "For {service} it would be possible {times}; I cannot see every time just now.",
    "free_on_day": "An appointment for {service} would be possible {times}.",
    "free_in_part": "{part} an appointment for {service} would be possible {times}, otherwise {others}.",
    "free_not_in_part": "I'm sorry, no appointment for {service} is free {part}. It would be possible {times}.",
    "free_other_day": "I'm sorry, nothing is free for {service} {day}. It would be possible {times}.",
    "suits_which": "Which suits you?",
    "suits_it": "Does that suit you?",
    "nothing_free": "I'm sorry, from {first} to {last} nothing is free for {service}. Shall I look at a later day?",
    "booked": "Your appointment is booked: {service} {time} with {staff}.",
    "taken_race": "The appointment {time} has just been booked by another customer.",
    "taken": "I'm sorry, the appointment {time} is not free.",
    "instead": "Would you like to come {times} instead?",
    "ask_other_time": "Shall I look for another time?",
    "still_open": (
        "Your appointment {time} is still open: the booking system has not confirmed it yet. "
        "You will get a message within a few minutes telling you whether it is booked."
    ),
    "has_one": "You already have an appointment {time} for this service.",
    "past": "That time is in the past. Today is {today}. Which day do you mean?",
    "rule_past": "That time has already passed.",
    "rule_out_of_bounds": "I'm sorry, I cannot book {time}: it is too soon or too far ahead.",
    "rule_limit": "I'm sorry, I cannot book {time}: too many appointments are booked already.",
    "policy_too_soon": "I'm sorry, it is too late to book an appointment {when}. The earliest I can book is {time}.",
    "policy_too_far": (
        "I cannot book an appointment {when} yet: it is too far ahead. At present I can book until {last}."
    ),
    "policy_too_many_open": (
        "I'm sorry, I cannot book more than {most} appointments ahead for you, and you have that many already. "
        "{callback}"
    ),
    "policy_one_open": (
        "I'm sorry, I cannot book more than one appointment ahead for you, and you have one already. {callback}"
    ),
    "policy_number_withheld": (
        "I cannot see your number, and without it I'm afraid I cannot book an appointment. "
        "With your number shown it would be possible. {callback}"
    ),
    "not_booked": "I'm sorry, the appointment could not be booked. {callback}",
    "temporary": (
        "The booking system is temporarily unavailable. Please try again in a few minutes or call us directly."
    ),
    "need_service": "Which service would you like, for example {known}?",
    "need_staff": "I'm sorry, I don't know that name for this service. Would you like {known}?",
    "unknown_service": "I'm sorry, I cannot find that service with us.",
    "which_of_them": "Which of them would you like?",
    "done_by_one": "{service} is done by {known} here. Would you like an appointment there?",
    "done_by_several": "{service} is done by {known} here. Whom would you like?",
    "need_date": "For which day would you like the appointment?",
    "need_time": "For what time would you like the appointment?",
    "need_name": "Under which name may I book the appointment?",
    "need_email": "That e-mail address does not seem right. What is it exactly, or shall I book without one?",
    "need_offer": "Which of the times mentioned would you like?",
    "not_a_time": "I did not understand that. Which day and what time do you mean?",
    "skipped_time": "That time does not exist on that day because the clocks go forward. What other time suits you?",
    "twice_time": "That time happens twice that night: {times}. Which do you mean?",
    "too_far": "I cannot book that far ahead. Today is {today}. Which day do you mean?",
    "services": "We offer {services}.",
    "some_services": "Among other things we offer {services}.",
    "no_services": "I'm sorry, I cannot book any appointments here at present. {callback}",
    "unknown_function": "I'm sorry, I cannot do that.",
    "unknown_tenant": "No booking is set up for this line.",
    "callback": "Please call us directly.",
    "and": "and",
}

CATALOGUE: Mapping[Language, Mapping[str, str]] = {
    Language.DE: {**_DE, **change_catalogue.DE, **callback_catalogue.DE},
    Language.EN: {**_EN, **change_catalogue.EN, **callback_catalogue.EN},
}
