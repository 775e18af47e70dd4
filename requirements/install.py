"""`python requirements/install.py VENV REQUIREMENTS`: makes a virtual environment and says how far pip has come."""

import pathlib
import re
import subprocess
import sys
import time

NO_NETWORK = re.compile(
    r"Failed to establish a new connection: (?P<what>[^'\")]+)"
    r"|(?P<proxy>Cannot connect to proxy|Tunnel connection failed: [^'\")]+)"
    r"|(?P<late>(?:connect|read) timeout=[\d.]+|[Rr]ead timed out)"
    r"|(?P<tls>CERTIFICATE_VERIFY_FAILED)"
    r"|(?P<name>Failed to resolve '[^']+'|Temporary failure in name resolution)"
)


def main(venv: str, requirements: str) -> int:
    python = pathlib.Path(venv) / "bin" / "python"
    wanted = sum(1 for line in pathlib.Path(requirements).read_text("utf-8").splitlines() if re.match(r"\w", line))
    began = time.monotonic()
    made = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "venv", venv],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    if made.returncode:
        sys.stderr.write(f"{made.stdout}{venv} could not be made{_why_no_venv(made.stdout, venv)}\n")
        return 1
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    pip = subprocess.Popen(  # noqa: S603
        [*command, "-r", requirements], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
    )
    collected, said, why = 0, [], ""
    for line in pip.stdout or ():
        said.append(line)
        trouble = NO_NETWORK.search(line)
        if trouble:
            if not why:
                _say("  no answer from PyPI yet; pip goes on trying ...")
            why = next(group for group in trouble.groups() if group)
        elif line.startswith(("Collecting", "Processing", "Requirement already")):
            collected += 1
            if collected % 20 == 0:
                _say(f"  {collected} of about {wanted} packages ...")
        elif line.startswith("Installing"):
            _say("  all downloaded, installing ...")
    if not pip.wait():
        _say(f"  {venv} is ready after {time.monotonic() - began:.0f} s")
        return 0
    if why:
        sys.stderr.write(f"PyPI cannot be reached: {why}\nThe packages come from there, or from PIP_INDEX_URL.\n")
    else:
        sys.stderr.write("".join(said[-15:]) + f"pip could not install {requirements}: see above.\n")
    return 1


def _why_no_venv(said: str, venv: str) -> str:
    """What is to be done about what venv said, where that is known."""
    if re.search(r"No module named '?(?:venv|ensurepip)\b|ensurepip is not\s+available", said):
        return ": Python's venv module is missing (Debian: apt install python3-venv)"
    if pathlib.Path(venv).is_symlink():
        return f": it is a link to {pathlib.Path(venv).readlink()}; remove the link, or make where it leads"
    return ": see above"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
