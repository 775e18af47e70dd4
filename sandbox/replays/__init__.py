"""The incidents of 2025, called again: on the same days, with the same words, against the project as it is now.

Each of `i1` to `i5` tells its incident as a `Story`: people call, Cal.com misbehaves as it did, and at the
end every line of "Must hold" is held against what the table and Cal.com really contain.
"""

from __future__ import annotations

from sandbox.replays import i1, i2, i3, i4, i5
from sandbox.replays.story import Screen, Story
from sandbox.salon.running import Salon

INCIDENTS = {"I1": i1, "I2": i2, "I3": i3, "I4": i4, "I5": i5}


def replay(incident: str, salon: Salon, screen: Screen) -> Story:
    """Tell one incident; what goes wrong in the telling is a line that does not hold."""
    module = INCIDENTS[incident]
    story = Story(incident, module.TITLE, salon, screen)
    try:
        module.tell(story)
    except Exception as error:
        story.holds("The replay came to its end", held=False, seen=f"{type(error).__name__}: {error}")
    story.later(module.LATER)
    return story
