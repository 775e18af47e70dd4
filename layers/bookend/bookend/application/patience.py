"""How long is waited for what, by whoever looks after operations that are open.

A request that was given up was seen to be carried out up to 125 s later, and Cal.com's reads lag behind its writes
(contracts: calcom-observed 2): what is not there proves nothing for a while, and not at the first look.
"""

from __future__ import annotations

from datetime import timedelta

SETTLE = timedelta(seconds=180)
"""How long after it was sent a request may still take effect at Cal.com."""
AGAIN = timedelta(seconds=30)
"""How soon something that is not settled is looked at again; its absence must have been seen twice, so far apart."""
STUCK = timedelta(minutes=15)
"""After this long an operator is told that something does not end, and once a day from then on."""
TURN_LEASE = timedelta(seconds=14)
"""How long a turn may be at work on an operation before others look after it: the function's time-out and a margin."""
SETTLE_SOON = timedelta(seconds=45)
"""The fast path to the end of an open operation: after its lease, and after the lag of most of Cal.com's reads."""
