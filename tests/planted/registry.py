"""All of them in one table."""

from __future__ import annotations

from tests.planted import of_bookings, of_callers, of_convergence
from tests.planted.bug import table_of

BUGS = table_of(*of_bookings.BUGS, *of_convergence.BUGS, *of_callers.BUGS)
"""By name; each must be noticed."""
