"""What day and time a caller wishes for, read from the words a language model put into two arguments.

The model is not trusted: lenient in form, strict in meaning. A text is understood as a whole or not at all:
one word that no rule knows ("nicht Montag", "Montag oder Dienstag") makes it not understood, rather than half
of it an appointment. How a text is read, module by module:

1. `words`: `tokenize` cuts it by the small patterns of its lexicon, after `plain` has levelled case and umlauts.
2. `rules`: `facts_in` turns tokens into facts ("a Monday", "half past two or so") by the first row of the grammar
   that fits and whose builder (`builders`) agrees to build one. `facts` are what a text can say at all, `patterns`
   how a row is written.
3. `said`: joins times into ranges, and refuses a text that says two things about one matter.
4. `reading`: `parse_wish` puts the two arguments together and makes an instant of the wall time: a `wish`.

To teach it a new expression, add a row to `rules` (or a word to a table of `words`), and the sentence to the test:
`rule("half past HOUR", build.minutes_from(30))` is all there is to "half past two". Longer rows stand above shorter
ones. Only an expression that says something new needs a builder of its own, and a new kind of saying a new fact.

What the expressions mean:

* Hours 1 to 6 without a leading zero and without a part of the day are the ones between 07:00 and 21:00:
  "halb drei", "3 Uhr" and "2:30" are in the afternoon. Other hours, "02:30" and ISO forms mean what they say.
* A weekday is its next occurrence. Today counts if the time said is still ahead, or none was said.
  "nächsten", "kommenden" and "next" mean strictly after today; "nächste Woche Montag" is in the next calendar
  week.
* A date without a year is the next one that is not past, and so is the day in "am 15.".
* A weekday beside a date is a check: "Dienstag, 27. Oktober 2025" (a Monday) is a contradiction.
* "morgen" is tomorrow, or the morning where the day is known already ("heute morgen").
* "mittags" without a clock time is 12:00; other parts of the day become a window.
* An ISO date with a naive midnight ("2026-12-01T00:00:00") is a date: models fill date fields like that.
* "Sommerzeit" and "Winterzeit" choose between the two instants of a time that happens twice.
"""

from __future__ import annotations

from bookend.domain.when.reading import parse_wish
from bookend.domain.when.wish import (
    AmbiguousTime,
    InPast,
    NoDate,
    NonexistentTime,
    NotUnderstood,
    Reading,
    TextKind,
    TooFar,
    Wish,
)

__all__ = [
    "AmbiguousTime",
    "InPast",
    "NoDate",
    "NonexistentTime",
    "NotUnderstood",
    "Reading",
    "TextKind",
    "TooFar",
    "Wish",
    "parse_wish",
]
