"""`nephele db upgrade`: brings the database of a stopped cloud to this version's schema."""

import argparse
import json
from pathlib import Path


def arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, and where the cloud's state is."""
    parser.add_argument("action", choices=("upgrade",), help="what to do")
    parser.add_argument("--state-dir", type=Path, help="where the cloud's state lives (default: ./nephele-data)")
    parser.add_argument("--config", type=Path, help="the TOML file that `up` is given")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Upgrade, and say from where to where and where the copy is."""
    from nephele.config import read_settings
    from nephele.migrations.upgrading import upgrade_state

    given = {"state_dir": options.state_dir} if options.state_dir else {}
    done = upgrade_state(read_settings(options.config, **given))
    if options.json:
        print(json.dumps({"from": done.before, "to": done.after, "backup": done.backup}))
    elif done.before == done.after:
        print(f"the schema is at revision {done.after} already: nothing to do")
    else:
        copy = f"; the database as it was is {done.backup}" if done.backup else ""
        print(f"the schema went from revision {done.before} to {done.after}{copy}")
    return 0
