"""docs/evidence.md, made of what the runs have left and of `evidence/found.toml`; `written()` is all of it."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.evidence.batteries import BATTERIES
from tests.evidence.record import HOME, PROFILES, ROOT, Record, read_all
from tests.simulation.campaign import REACHED, REACHED_BY_MANY, SEEDS
from tests.simulation.watch import LEGEND, PROMISE

PAGE = ROOT / "docs" / "evidence.md"
FOUND = HOME / "found.toml"
TITLES = {"ci": "CI", "long": "long"}
PLANS = tuple(SEEDS["ci"])
PUBLISHED = (*(f"simulation-{plan}" for plan in PLANS), "load", "replays", *(each.name for each in BATTERIES))
"""What either profile has numbers of."""
NONE = "–"
_HEAD = """# Evidence

How we tried to make Bookend break its promises, how often, and what came of it. **Made by `make evidence` from the
runs' own output in [evidence/](../evidence/README.md); nobody edits it, and a test holds that.** What is known not to
hold is in [limits.md](limits.md).

## Run it yourself

```
make evidence QUICK=1                           the CI profile: minutes
make evidence                                   the long one: 10,000 simulated calls, 20,000 interleavings,
                                                200 callers at once, every slow battery, some mutants; hours
make simulate SEED=7 CALLS=100 PLAN=brutal      your own seed; one that breaks a promise tells its shortest story
.venv/bin/python -m tests.evidence run load     one of them by its name; `list` has the names
```

Which plan is for what: `realistic` and `brutal` are a salon's hour with all that goes wrong, `duel` is two or three
around one slot (races, deaths, late effects), in `strangers` Cal.com answers with somebody else's booking.

The CI profile is what CI runs as tests, run once more to be counted; CI itself counts nothing. What can be said of the
files without running them (cfn-lint, checkov, bandit, secrets) is `make static`, and not counted either. P1 to P7 are
the promises of the [README](../README.md#what-is-shown).
"""
_SIMULATION = """\
Callers, guests, the salon, webhooks, worker, sweeper and runs, interleaved at every boundary from one seed
([0033](decisions/0033-one-seed-and-a-baton.md)). A step is a boundary that somebody passed, a look one at what a write
may have broken (I1, I2, I4, P3); each reply is held against what was so in its turn, and all of it at the end. A duel,
or interleaving, is two or three around one slot; of strangers every second one is answered with somebody else's
booking, as in incident I1."""
_SIGNS = """\
What is looked for. A breach begins with its sign (that incidents are called I1 to I5 as well is by chance). That nobody
comes in from outside, the rest of P6, is for the batteries hostile, abuse and openapi:"""
_RATES = """\
What goes wrong in them, in percent of the requests, boundaries or deliveries it is about, and for how long, in seconds;
of the newest recorded run. Duels have the rates of brutal runs. In both each seed leaves some kinds out, halves others,
and makes some half as frequent again. Names are those of `tests/simulation/plan.py`:"""
_LOAD = (
    """\
All at the same moment, for 30 minutes, 45 minutes, a service of two bookings and one of four, through the deployed
project: signed HTTP, Lambda's own runtime in several processes a function, a real engine, webhooks, Cal.com's
stand-in over HTTP. Who is refused takes the first time that is offered instead. Then the same first wishes straight
at the stand-in, without us.""",
    """\
The stand-in inserts 15 ms after its check. The real Cal.com accepted both of two such bookings in 14 of 14 tries at 0
ms, in 13 of 14 at 25 ms, in none of 14 at 50 ms and more, when it was measured: without us, whoever takes longer than
50 ms here is checked once more, so a slow machine makes Cal.com no worse than it was seen to be. *Paced* lets no more
at it at a time than our function may have instances. The rate limit of a key is off, else most of the load would only
hear 429.""",
)
_BATTERIES = """\
Counted where it happens, by a plugin. An example is one case that Hypothesis or schemathesis made up, a request one
event at a function's door, a salon one scenario from an empty table; of crashes that leave the same behind, one is gone
on with. A known limit is a test that shows what is still to be mended."""
_PLANTED = """\
A battery that finds nothing may be blind. So the safety code is broken on purpose, one bug at a time, and the battery
that is about it must notice."""
_MUTANTS = """\
Small changes of ledger, classifier and saga (a comparison, a boundary, a condition, a statement left out), one at a
time, against the tests that are about that file: all there are, or of each file a sample, another one each time. What
survived is listed, and is no broken promise: it is a line that no test of its file held when it was run."""
_OF_MUTANTS = ("file", "mutants", "tried", "caught", "timed_out", "equivalent", "survived", "score", "commit")
_COMMANDS = "`python -m tests.evidence run NAME --profile ci` (or `long`) makes the file of each."
_FOUND = """\
Before anybody was on the phone; by what is named above, or by somebody who had only the project and a task: to break
it (adversary), to use it (newcomer), to carry it on (reader). Each has a test that finds it again; one without a commit
is not mended yet, and its test shows it. This list is kept by hand (`evidence/found.toml`); that its tests exist is
tested."""


def written(home: Path = HOME, found: Path = FOUND) -> str:
    """The whole page. The same files make the same page."""
    runs = {profile: read_all(home / profile) for profile in PROFILES}
    alone = {path.stem: Record.read(path) for path in sorted(home.glob("*.json"))}
    parts = [
        _HEAD,
        *_summary(runs, alone),
        *_simulation(runs),
        *_load(runs),
        *_batteries(runs),
        *_replays(runs),
        *_planted(alone.get("planted")),
        *_mutants(alone.get("mutants")),
        *_found(found),
        *_commands(runs, alone),
    ]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip() + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """A Markdown table; numbers to the right."""
    rows = [list(each) for each in rows]
    if not rows:
        yield "No run is recorded yet."
        yield ""
        return
    numeric = [
        all(isinstance(row[column], int | float) or row[column] == NONE for row in rows) for column in range(len(head))
    ]
    yield "| " + " | ".join(head) + " |"
    yield "|" + "|".join("---:" if each else "---" for each in numeric) + "|"
    for row in rows:
        yield "| " + " | ".join(_text(each) for each in row) + " |"
    yield ""


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "**no**"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value).replace("|", "\\|")


def _chapter(title: str, *text: str) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield ""
    for each in text:
        yield each
        yield ""


def _both(runs: Mapping[str, Mapping[str, Record]], name: str) -> Iterator[tuple[str, Record]]:
    """The run of this name in each profile that has one."""
    for profile in PROFILES:
        if name in runs[profile]:
            yield TITLES[profile], runs[profile][name]


def _summary(runs: Mapping[str, Mapping[str, Record]], alone: Mapping[str, Record]) -> Iterator[str]:
    yield from _chapter("At a glance")
    rows: list[Sequence[object]] = []
    for profile in PROFILES:
        records = list(runs[profile].values())
        if not records:
            yield f"No {TITLES[profile]} run is recorded yet."
            yield ""
            continue
        salons = [each for each in records if each.name in {"simulation-realistic", "simulation-brutal"}]
        duels = [each for each in records if each.name == "simulation-duel"]
        rows.append(
            (
                TITLES[profile],
                min(each.date for each in records)[:10],
                ", ".join(sorted({each.commit for each in records})),
                sum(each.counts["calls"] for each in salons),
                sum(each.counts["runs"] for each in duels),
                sum(each.counts.get("tests", 0) for each in records),
                sum(len(each.broken) for each in records),
                round(sum(each.seconds for each in records) / 60),
            )
        )
    yield from table(
        (
            "profile",
            "run on",
            "commit",
            "calls (realistic, brutal)",
            "interleavings",
            "tests in batteries",
            "broken",
            "minutes",
        ),
        rows,
    )
    for profile in PROFILES:
        missing = [name for name in PUBLISHED if name not in runs[profile]]
        if missing and runs[profile]:
            yield f"Not run in the {TITLES[profile]} profile: {', '.join(missing)}."
            yield ""
    for record in [*(each for profile in PROFILES for each in runs[profile].values()), *alone.values()]:
        yield from (f"- **broken**, {record.name}: {line}" for line in record.broken)


def _simulation(runs: Mapping[str, Mapping[str, Record]]) -> Iterator[str]:
    yield from _chapter("Simulation", _SIMULATION)
    numbers = ("runs", "calls", "bookings", "steps", "looks", "faults", "deaths")
    rows: list[Sequence[object]] = [
        (title, plan, _seeds(each), *(each.counts[name] for name in numbers), len(each.broken))
        for plan in PLANS
        for title, each in _both(runs, f"simulation-{plan}")
    ]
    yield from table(("profile", "plan", "seeds", *numbers, "broken"), rows)
    yield _SIGNS
    yield ""
    signs = [(sign, PROMISE[sign], broken) for sign, broken in LEGEND.items()]
    yield from table(("sign", "promise", "what would be broken"), signs)
    yield from _rates(runs)
    states: dict[str, Counter[str]] = {}
    for profile in PROFILES:
        for plan in PLANS:
            if record := runs[profile].get(f"simulation-{plan}"):
                states.setdefault(profile, Counter()).update({each["state"]: each["times"] for each in record.rows})
    if states:
        yield (
            "How often each state was reached, in all plans together. A campaign that misses one with a star fails; "
            "with two stars, a long one:"
        )
        yield ""
        names = sorted({name for each in states.values() for name in each})
        titles = [TITLES[profile] for profile in states]
        yield from table(
            ("state", *titles), [(_starred(name), *(each[name] for each in states.values())) for name in names]
        )


def _starred(state: str) -> str:
    if state in REACHED:
        return f"{state} \\*"
    return f"{state} \\*\\*" if state in REACHED_BY_MANY else state


def _rates(runs: Mapping[str, Mapping[str, Record]]) -> Iterator[str]:
    """What was made to go wrong, by the files themselves."""
    found: dict[str, dict[str, float]] = {}
    for plan in PLANS:
        last = [each for _, each in _both(runs, f"simulation-{plan}")][-1:]
        rates = dict(_flat(last[0].rates)) if last else {}
        if rates and rates not in found.values():  # duels have those of brutal runs
            found[plan] = rates
    if not found:
        return
    yield _RATES
    yield ""
    names = dict.fromkeys(name for each in found.values() for name in each)
    yield from table(
        ("what", *found), [(_unit(name), *(_rate(name, each) for each in found.values())) for name in names]
    )


def _unit(name: str) -> str:
    return f"{name.removesuffix('_s')}, seconds" if name.endswith("_s") else name


def _rate(name: str, rates: Mapping[str, float]) -> float:
    value = rates.get(name, 0.0)
    return value if name.endswith("_s") else round(value * 100, 2)


def _flat(rates: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for name, value in rates.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}: ")
        else:
            yield prefix + name, value


def _load(runs: Mapping[str, Mapping[str, Record]]) -> Iterator[str]:
    yield from _chapter("Many callers, one stylist", *_LOAD)
    for title, record in _both(runs, "load"):
        yield f"{title} profile, {record.date[:10]}, seeds {_seeds(record)}:"
        yield ""
        rows: list[Sequence[object]] = []
        for each in record.rows:
            ours, paced = each["with Bookend"], each["straight, paced"]
            rows.append(
                (each["callers"], each["rounds"], f"**with Bookend** ({each['instances']} instances)", *_came(ours))
            )
            rows.append(("", "", "straight", *_came(each["straight"])))
            rows.append(("", "", "straight, paced", *_came(paced)))
        yield from table(
            (
                "callers",
                "rounds",
                "",
                "heard *gebucht*",
                "bookings at Cal.com",
                "overlapping pairs",
                "callers with an overlap",
                "composites in part",
                "requests to Cal.com",
            ),
            rows,
        )
        widest = max(each["widest median window in ms"] for each in record.rows)
        yield f"Median time from check to insert of the straight load, at its widest: {widest} ms."
        yield ""
        told: Counter[str] = Counter()
        for each in record.rows:
            told.update({name: number for name, number in each["with Bookend"].items() if name.startswith("told ")})
        yield (
            "What our callers heard last: "
            + ", ".join(f"{name[5:]} {number:,}" for name, number in sorted(told.items()))
            + "."
        )
        yield "It was so on both sides, each time." if not record.broken else "It was **not** always so."
        yield ""


def _came(counts: Mapping[str, int]) -> tuple[object, ...]:
    return (
        sum(number for name, number in counts.items() if name.startswith("told booked")),
        counts["bookings accepted"],
        counts["overlapping pairs"],
        counts["callers with an overlap"],
        counts["composites booked in part"],
        counts["requests to Cal.com"],
    )


def _batteries(runs: Mapping[str, Mapping[str, Record]]) -> Iterator[str]:
    yield from _chapter("Batteries", _BATTERIES)
    numbers = ("tests", "examples", "requests at the doors", "salons opened", "known limits", "not run here")
    rows: list[Sequence[object]] = []
    for battery in BATTERIES:
        about = [f"**{battery.name}**: {battery.tries}", ""]
        for title, each in _both(runs, battery.name):
            rows.append((about.pop(0), title, *(each.counts.get(name, 0) for name in numbers), len(each.broken)))
        missing = [TITLES[profile] for profile in PROFILES if battery.name not in runs[profile]]
        rows += [(about.pop(0), f"{title}: not run", *(NONE for _ in numbers), NONE) for title in missing]
    yield from table(("battery", "profile", *numbers, "broken"), rows)


def _replays(runs: Mapping[str, Mapping[str, Record]]) -> Iterator[str]:
    yield from _chapter(
        "The incidents, called again", '`make run ONCE=1`: every line of "Must hold", on the deployed stack.'
    )
    rows: list[Sequence[object]] = [
        (title, each["incident"], each["lines"], each["held"])
        for title, record in _both(runs, "replays")
        for each in record.rows
    ]
    yield from table(("profile", "incident", "must hold", "holds"), rows)


def _planted(record: Record | None) -> Iterator[str]:
    yield from _chapter("Planted bugs", _PLANTED)
    if record is None:
        yield "No run is recorded yet."
        return
    yield _numbers(record)
    yield ""
    redundant = [each for each in record.rows if "covered_by" in each]
    yield from table(*_as_rows([each for each in record.rows if "covered_by" not in each]))
    if redundant:
        yield "Redundant ones, each covered by another line: neither is noticed missing alone, both together are."
        yield ""
        names = ("name", "breaks", "covered_by", "battery")
        yield from table(
            ("left out", "what it is for", "covered by", "noticed without both"),
            [[each[name] for name in names] for each in redundant],
        )


def _mutants(record: Record | None) -> Iterator[str]:
    yield from _chapter("Mutants", _MUTANTS)
    if record is None:
        yield "No run is recorded yet."
        return
    yield _numbers(record)
    yield ""
    yield from table(_OF_MUTANTS, [[_told(each.get(name, NONE)) for name in _OF_MUTANTS] for each in record.rows])
    survivors = [f"- {each['file']}: `{name.replace('`', '´')}`" for each in record.rows for name in each["survived"]]
    if survivors:
        yield from ("", "Survived, by function:", "", *survivors)


def _told(value: object) -> object:
    """Lists are told by their length."""
    return len(value) if isinstance(value, list) else value


def _as_rows(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[object]]]:
    """Whatever another program keeps a row for each of; lists are told by their length."""
    names = list(dict.fromkeys(name for each in rows for name in each))
    shown = [[_told(each.get(name, NONE)) for name in names] for each in rows]
    return names, shown


def _numbers(record: Record) -> str:
    said = ", ".join(f"{name} {_text(number)}" for name, number in record.counts.items())
    return f"{record.date[:10]}, {record.commit}: {said}."


def _found(path: Path) -> Iterator[str]:
    bugs = tomllib.loads(path.read_text(encoding="utf-8"))["bug"]
    yield from _chapter(f"{len(bugs)} bugs that they have found", _FOUND)
    yield from table(
        ("found by", "what was wrong", "mended in", "held by"),
        [(each["by"], each["bug"], each.get("commit", NONE), _link(each["test"])) for each in bugs],
    )


def _link(test: str) -> str:
    path, _, name = test.partition("::")
    return f"[{name}](../{path})"


def _commands(runs: Mapping[str, Mapping[str, Record]], alone: Mapping[str, Record]) -> Iterator[str]:
    yield from _chapter("Every run, and what plays it again", _COMMANDS)
    every = [*((TITLES[profile], each) for profile in PROFILES for each in runs[profile].values())]
    every += [("both", each) for each in alone.values()]
    yield from table(
        ("profile", "run", "command", "began", "commit", "seeds", "seconds"),
        [
            (
                title,
                each.name,
                f"`{_as_typed(each.command)}`",
                each.date,
                each.commit,
                _seeds(each),
                round(each.seconds),
            )
            for title, each in every
        ],
    )


def _as_typed(command: str) -> str:
    """With the project's own Python, which has what it needs."""
    typed = re.sub(r"(^|; )python -m", r"\1.venv/bin/python -m", command)
    return f"`{typed}`"


def _seeds(record: Record) -> str:
    match list(record.seeds):
        case []:
            return NONE
        case [first, last] if first == last:
            return str(first)
        case [first, last]:
            return f"{first}…{last}"
        case seeds:
            return ", ".join(map(str, seeds))
