"""Every sentence the caller may hear, by language. A test holds that the languages have the same sentences.

Placeholders: {times} and {time} are spoken instants with their day where it is not the one asked for, {service} a name,
{callback} the salon's hours for calling back.
"""

from __future__ import annotations

from collections.abc import Mapping

from bookend.domain.saying import Language

_DE: Mapping[str, str] = {
    "free_exact": "Ja, {time} ist frei für {service}.",
    "free_exact_or": "Ja, {time} ist frei für {service}. Möglich wäre auch {others}.",
    "free_instead": "{wanted} ist leider nicht frei. Frei wäre {times}. Was passt Ihnen?",
    "free_on_day": "Für {service} ist frei: {times}. Was passt Ihnen?",
    "free_other_day": "{day} ist für {service} leider nichts frei. Frei wäre {times}. Was passt Ihnen?",
    "nothing_free": "Von {first} bis {last} ist für {service} leider nichts frei. Soll ich später schauen?",
    "booked": "Ihr Termin ist gebucht: {service} {time} bei {staff}.",
    "taken_race": "Der Termin {time} wurde gerade von einem anderen Kunden gebucht.",
    "taken": "Der Termin {time} ist leider nicht frei.",
    "instead": "Möchten Sie stattdessen {times}?",
    "ask_other_time": "Soll ich nach einer anderen Zeit schauen?",
    "still_open": (
        "Ihr Termin {time} ist noch offen: Die Bestätigung der Terminverwaltung steht aus. "
        "Sie bekommen in wenigen Minuten eine Nachricht, ob er gebucht ist."
    ),
    "has_one": "Sie haben {time} bereits einen Termin für diese Leistung.",
    "past": "Dieser Zeitpunkt liegt in der Vergangenheit. Heute ist {today}. Welchen Tag meinen Sie?",
    "rule_past": "Dieser Zeitpunkt ist schon vorbei.",
    "rule_out_of_bounds": "{time} kann nicht gebucht werden: Das ist zu kurzfristig oder zu weit im Voraus.",
    "rule_limit": "{time} kann nicht gebucht werden: Es sind bereits zu viele Termine gebucht.",
    "not_booked": "Der Termin konnte leider nicht gebucht werden. {callback}",
    "by_phone_only": "{service} kann ich leider nicht selbst buchen. {callback}",
    "temporary": (
        "Die Terminverwaltung ist vorübergehend nicht erreichbar. "
        "Bitte versuchen Sie es in wenigen Minuten erneut oder rufen Sie uns direkt an."
    ),
    "need_service": "Welche Leistung wünschen Sie? Wir bieten {known}.",
    "need_staff": "Das kenne ich leider nicht. Für diese Leistung gibt es {known}. Zu wem möchten Sie?",
    "need_date": "Für welchen Tag möchten Sie den Termin?",
    "need_time": "Für welche Uhrzeit möchten Sie den Termin?",
    "need_name": "Auf welchen Namen darf ich den Termin buchen?",
    "need_email": "Diese E-Mail-Adresse scheint nicht zu stimmen. Wie lautet sie, oder soll ich ohne E-Mail buchen?",
    "need_offer": "Welchen der genannten Termine möchten Sie?",
    "not_a_time": "Das habe ich nicht verstanden. Welchen Tag und welche Uhrzeit meinen Sie?",
    "skipped_time": "Diese Uhrzeit gibt es an dem Tag nicht, die Uhren werden vorgestellt. Welche passt Ihnen?",
    "twice_time": "Diese Uhrzeit gibt es in der Nacht zweimal: {times}. Welche meinen Sie?",
    "too_far": "So weit im Voraus kann ich nicht buchen. Heute ist {today}. Welchen Tag meinen Sie?",
    "services": "Wir bieten {services}.",
    "unknown_function": "Das kann ich leider nicht.",
    "unknown_tenant": "Für diesen Anschluss ist keine Terminbuchung eingerichtet.",
    "callback": "Bitte rufen Sie uns direkt an.",
}

_EN: Mapping[str, str] = {
    "free_exact": "Yes, {time} is free for {service}.",
    "free_exact_or": "Yes, {time} is free for {service}. {others} would be possible too.",
    "free_instead": "I'm sorry, {wanted} is not free. {times} would be. Which suits you?",
    "free_on_day": "For {service} these times are free: {times}. Which suits you?",
    "free_other_day": "I'm sorry, {day} nothing is free for {service}. {times} would be. Which suits you?",
    "nothing_free": "I'm sorry, from {first} to {last} nothing is free for {service}. Shall I look at a later day?",
    "booked": "Your appointment is booked: {service} {time} with {staff}.",
    "taken_race": "The appointment {time} has just been booked by another customer.",
    "taken": "I'm sorry, the appointment {time} is not free.",
    "instead": "Would you like {times} instead?",
    "ask_other_time": "Shall I look for another time?",
    "still_open": (
        "Your appointment {time} is still open: the booking system has not confirmed it yet. "
        "You will get a message within a few minutes telling you whether it is booked."
    ),
    "has_one": "You already have an appointment {time} for this service.",
    "past": "That time is in the past. Today is {today}. Which day do you mean?",
    "rule_past": "That time has already passed.",
    "rule_out_of_bounds": "{time} cannot be booked: it is too soon or too far ahead.",
    "rule_limit": "{time} cannot be booked: too many appointments are booked already.",
    "not_booked": "I'm sorry, the appointment could not be booked. {callback}",
    "by_phone_only": "I'm sorry, I cannot book {service} myself. {callback}",
    "temporary": (
        "The booking system is temporarily unavailable. Please try again in a few minutes or call us directly."
    ),
    "need_service": "Which service would you like? We offer {known}.",
    "need_staff": "I'm sorry, I don't know that. For this service there is {known}. Who would you like?",
    "need_date": "For which day would you like the appointment?",
    "need_time": "For what time would you like the appointment?",
    "need_name": "Under which name may I book the appointment?",
    "need_email": "That e-mail address does not seem right. What is it, or shall I book without one?",
    "need_offer": "Which of the times mentioned would you like?",
    "not_a_time": "I did not understand that. Which day and what time do you mean?",
    "skipped_time": "That time does not exist on that day because the clocks go forward. What time suits you?",
    "twice_time": "That time happens twice that night: {times}. Which do you mean?",
    "too_far": "I cannot book that far ahead. Today is {today}. Which day do you mean?",
    "services": "We offer {services}.",
    "unknown_function": "I'm sorry, I cannot do that.",
    "unknown_tenant": "No booking is set up for this line.",
    "callback": "Please call us directly.",
}

CATALOGUE: Mapping[Language, Mapping[str, str]] = {Language.DE: _DE, Language.EN: _EN}
