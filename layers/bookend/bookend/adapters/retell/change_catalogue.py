"""The sentences about appointments that a caller has, by language. Placeholders: see `catalogue`.

{old}, {new}, {current} and {until} are adverbials of time with their day ("am Mittwoch, 15. Oktober, um 9 Uhr"), {what}
is what the appointment is for, with the blank before it (`for_what`), or nothing.
A key `<function>.<class>` is what is said when that function fails so (domain/failures.py); incident I2 has the words.
"""

from __future__ import annotations

from collections.abc import Mapping

DE: Mapping[str, str] = {
    "found_none": "Unter Ihrer Telefonnummer finde ich keinen kommenden Termin.",
    "found_one": "Ihr nächster Termin ist {times}.",
    "found_many": "Ihre nächsten Termine sind {times}.",
    "found_changed": (
        "Einen Teil des Termins {times} hat der Salon geändert. Bitte fragen Sie dort nach, was davon bleibt."
    ),
    "for_what": " für {service}",
    "open_booking": "Ihr Termin{what} {time} ist noch offen: Die Bestätigung der Terminverwaltung steht aus.",
    "open_booking_message": "Sie bekommen eine Nachricht, ob er gebucht ist.",
    "open_move": "Ihr Termin{what} ist bisher {time}. Ob er verschoben wird, ist noch offen.",
    "open_move_message": "Dazu bekommen Sie eine Nachricht.",
    "open_cancel": "Ob Ihr Termin{what} {time} storniert wird, ist noch offen.",
    "open_cancel_message": "Dazu bekommen Sie eine Nachricht.",
    "ask_again_soon": "Bitte fragen Sie in wenigen Minuten noch einmal nach.",
    "not_noted_move": (
        "Bis dahin kann ich ihn nicht verschieben, und Ihr Wunsch ist auch nicht notiert. "
        "Soll ich notieren, dass Sie jemand zurückruft?"
    ),
    "not_noted_cancel": (
        "Bis dahin kann ich ihn nicht stornieren, und die Stornierung ist auch nicht notiert. "
        "Soll ich notieren, dass Sie jemand zurückruft?"
    ),
    "need_own_name": "Auf welchen Namen ist der Termin gebucht?",
    "need_own_date": "An welchem Tag ist Ihr Termin?",
    "need_new_time": "Auf welchen Tag und welche Uhrzeit möchten Sie den Termin verschieben?",
    "which_one": "Da kommen mehrere Termine in Frage: {times}. Welchen meinen Sie?",
    "possible": "Möglich wäre es {times}.",
    "possible_in_part": "{part} wäre es {times} möglich, sonst {others}.",
    "possible_not_in_part": "{part} ist leider nichts frei. Möglich wäre es {times}.",
    "nothing_that_day": "Da ist leider nichts frei. Welcher andere Tag passt Ihnen?",
    "confirm_move": "Ihr Termin{what} ist bisher {old}. Er wäre dann {new}. Soll ich ihn so verschieben?",
    "confirm_cancel": "Soll ich Ihren Termin{what} {old} wirklich stornieren?",
    "asked_too_long_ago": "Das muss ich noch einmal nachsehen. Auf welchen Namen und für welchen Tag ist der Termin?",
    "already_there": "Ihr Termin ist bereits {time}.",
    "moved": "Ihr Termin ist verschoben: Er ist jetzt {time} bei {staff}.",
    "cancelled": "Ihr Termin {time} ist storniert.",
    "stays": "Es bleibt bei Ihrem Termin {current}.",
    "until_then": "Bis dahin bleibt es bei Ihrem Termin {current}.",
    "find_appointments.not_allowed": (
        "Das kann ich leider nicht selbst für Sie erledigen. Soll ich notieren, dass Sie jemand zurückruft?"
    ),
    "reschedule_appointment.not_allowed": (
        "Das kann ich leider nicht selbst für Sie erledigen. Soll ich notieren, dass Sie jemand zurückruft?"
    ),
    "cancel_appointment.not_allowed": (
        "Das kann ich leider nicht selbst für Sie erledigen. Soll ich notieren, dass Sie jemand zurückruft?"
    ),
    "not_identified": "Zu diesen Angaben finde ich leider keinen Termin. Stimmen Name, Tag und Uhrzeit?",
    "not_the_last_question": (
        "Das muss ich Sie noch einmal fragen. Was soll mit dem Termin geschehen, und auf welchen Namen und für welchen "
        "Tag ist er?"
    ),
    "reschedule_appointment.not_found": (
        "Dieser Termin kann leider nicht online umgebucht werden. Bitte rufen Sie uns direkt an."
    ),
    "reschedule_appointment.error": ("Der Termin konnte nicht umgebucht werden. Bitte versuchen Sie es später erneut."),
    "reschedule_appointment.slot_taken": "Der Termin {wanted} ist leider nicht frei.",
    "reschedule_appointment.policy": "Das lässt der Kalender leider nicht zu.",
    "reschedule_appointment.pending": (
        "Ob Ihr Termin verschoben ist, ist noch offen: Die Bestätigung der Terminverwaltung steht aus. "
        "Sie bekommen in wenigen Minuten eine Nachricht."
    ),
    "cancel_appointment.not_found": (
        "Dieser Termin kann leider nicht online storniert werden. Bitte rufen Sie uns direkt an."
    ),
    "cancel_appointment.error": "Der Termin konnte nicht storniert werden. Bitte versuchen Sie es später erneut.",
    "cancel_appointment.slot_taken": "Der Termin konnte nicht storniert werden. Bitte versuchen Sie es später erneut.",
    "cancel_appointment.policy": "Das lässt der Kalender leider nicht zu.",
    "cancel_appointment.pending": (
        "Ob Ihr Termin storniert ist, ist noch offen: Die Bestätigung der Terminverwaltung steht aus. "
        "Sie bekommen in wenigen Minuten eine Nachricht."
    ),
    "too_late": "Dafür ist es leider zu spät: Die Frist endete {until}.",
    "move_too_soon": (
        "Auf diese Zeit kann ich den Termin nicht verschieben: Das ist zu kurzfristig. "
        "Möglich wäre es frühestens {time}."
    ),
    "move_too_far": "So weit im Voraus kann ich den Termin nicht verschieben. Möglich ist es bis {last}.",
    "moved_too_often": "Dieser Termin kann leider nicht noch einmal verschoben werden.",
    "perhaps_done": "Ob es doch noch geklappt hat, steht noch nicht fest; dazu bekommen Sie eine Nachricht.",
    "keep_it": "Soll ich das für Sie erledigen, sobald die Terminverwaltung wieder erreichbar ist?",
    "kept_move": (
        "Ich habe es notiert: Sobald die Terminverwaltung wieder erreichbar ist, wird Ihr Termin verschoben, "
        "wenn die Zeit dann noch frei ist."
    ),
    "kept_cancel": (
        "Ich habe es notiert: Sobald die Terminverwaltung wieder erreichbar ist, wird Ihr Termin storniert."
    ),
    "you_will_hear": "Ob es geklappt hat, erfahren Sie durch eine Nachricht.",
    "you_will_hear_by": "Ob es geklappt hat, erfahren Sie durch eine Nachricht, spätestens {until}.",
}

EN: Mapping[str, str] = {
    "found_none": "I cannot find an upcoming appointment under your telephone number.",
    "found_one": "Your next appointment is {times}.",
    "found_many": "Your next appointments are {times}.",
    "found_changed": ("The salon has changed a part of the appointment {times}. Please ask there what remains of it."),
    "for_what": " for {service}",
    "open_booking": "Your appointment{what} {time} is still open: the booking system has not confirmed it yet.",
    "open_booking_message": "You will get a message telling you whether it is booked.",
    "open_move": "Your appointment{what} is {time} so far. Whether it will be moved is still open.",
    "open_move_message": "You will get a message about it.",
    "open_cancel": "Whether your appointment{what} {time} will be cancelled is still open.",
    "open_cancel_message": "You will get a message about it.",
    "ask_again_soon": "Please ask again in a few minutes.",
    "not_noted_move": (
        "Until then I cannot move it, and your wish has not been noted either. "
        "Shall I note that somebody should call you back?"
    ),
    "not_noted_cancel": (
        "Until then I cannot cancel it, and the cancellation has not been noted either. "
        "Shall I note that somebody should call you back?"
    ),
    "need_own_name": "Under which name is the appointment booked?",
    "need_own_date": "On which day is your appointment?",
    "need_new_time": "To which day and what time would you like to move the appointment?",
    "which_one": "Several appointments fit: {times}. Which one do you mean?",
    "possible": "It would be possible {times}.",
    "possible_in_part": "{part} it would be possible {times}, otherwise {others}.",
    "possible_not_in_part": "I'm sorry, nothing is free {part}. It would be possible {times}.",
    "nothing_that_day": "I'm sorry, nothing is free then. Which other day suits you?",
    "confirm_move": "Your appointment{what} is {old} so far. It would then be {new}. Shall I move it like that?",
    "confirm_cancel": "Shall I really cancel your appointment{what} {old}?",
    "asked_too_long_ago": "I need to look again. Under which name and for which day is the appointment?",
    "already_there": "Your appointment is {time} already.",
    "moved": "Your appointment has been moved: it is now {time} with {staff}.",
    "cancelled": "Your appointment {time} is cancelled.",
    "stays": "Your appointment stays as it is, {current}.",
    "until_then": "Until then your appointment stays as it is, {current}.",
    "find_appointments.not_allowed": (
        "I'm sorry, I cannot do that for you myself. Shall I note that somebody should call you back?"
    ),
    "reschedule_appointment.not_allowed": (
        "I'm sorry, I cannot do that for you myself. Shall I note that somebody should call you back?"
    ),
    "cancel_appointment.not_allowed": (
        "I'm sorry, I cannot do that for you myself. Shall I note that somebody should call you back?"
    ),
    "not_identified": (
        "I'm sorry, I cannot find an appointment with these details. Are the name, the day and the time right?"
    ),
    "not_the_last_question": (
        "I need to ask you that once more. What shall be done with the appointment, and under which name and for which "
        "day is it?"
    ),
    "reschedule_appointment.not_found": "I'm sorry, this appointment cannot be moved online. Please call us directly.",
    "reschedule_appointment.error": "The appointment could not be moved. Please try again later.",
    "reschedule_appointment.slot_taken": "I'm sorry, the appointment {wanted} is not free.",
    "reschedule_appointment.policy": "I'm sorry, the calendar does not allow that.",
    "reschedule_appointment.pending": (
        "Whether your appointment has been moved is still open: the booking system has not confirmed it yet. "
        "You will get a message within a few minutes."
    ),
    "cancel_appointment.not_found": "I'm sorry, this appointment cannot be cancelled online. Please call us directly.",
    "cancel_appointment.error": "The appointment could not be cancelled. Please try again later.",
    "cancel_appointment.slot_taken": "The appointment could not be cancelled. Please try again later.",
    "cancel_appointment.policy": "I'm sorry, the calendar does not allow that.",
    "cancel_appointment.pending": (
        "Whether your appointment has been cancelled is still open: the booking system has not confirmed it yet. "
        "You will get a message within a few minutes."
    ),
    "too_late": "I'm sorry, it is too late for that: the last possible time was {until}.",
    "move_too_soon": "I'm sorry, that is too soon to move the appointment to. The earliest possible time is {time}.",
    "move_too_far": "I'm sorry, I cannot move the appointment that far ahead. It is possible until {last}.",
    "moved_too_often": "I'm sorry, this appointment cannot be moved again.",
    "perhaps_done": "Whether it has worked after all is not certain yet; you will get a message about it.",
    "keep_it": "Shall I do it for you as soon as the booking system is available again?",
    "kept_move": (
        "I have noted it: as soon as the booking system is available again, your appointment will be moved, "
        "if the time is still free then."
    ),
    "kept_cancel": (
        "I have noted it: as soon as the booking system is available again, your appointment will be cancelled."
    ),
    "you_will_hear": "A message will tell you whether it has worked.",
    "you_will_hear_by": "A message will tell you whether it has worked, {until} at the latest.",
}
