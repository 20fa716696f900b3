"""`nephele up`: a whole cloud in the foreground."""

import argparse
import sys
from pathlib import Path
from time import perf_counter

STARTED = perf_counter()


def arguments(parser: argparse.ArgumentParser) -> None:
    """What `up` can be told."""
    parser.add_argument("--state-dir", type=Path, help="where its state lives (default: ./nephele-data)")
    parser.add_argument("--port", type=int, help="the one port of all APIs; 0 picks a free one (default: 8774)")
    parser.add_argument("--listen", help="the address to listen on (default: 127.0.0.1)")
    parser.add_argument("--public-url", help="what the catalog shows (default: the address the client used)")
    parser.add_argument("--driver", choices=("sim", "libvirt"), help="the hypervisor (default: sim)")
    parser.add_argument("--hosts", type=int, help="how many simulated hosts (default: 1)")
    parser.add_argument("--host", help="name of the hypervisor host (default: the machine's)")
    parser.add_argument("--libvirt-uri", help="which libvirtd (default: qemu:///system)")
    parser.add_argument("--virt-type", choices=("auto", "kvm", "qemu"), help="how guests run (default: auto)")
    parser.add_argument("--host-netns", help="the network namespace that is the hypervisor host (default: none)")
    parser.add_argument("--guest-image", type=Path, help="qcow2 file of the image `nephele-guest` of a new cloud")
    parser.add_argument("--config", type=Path, help="a TOML file with more settings")
    parser.add_argument(
        "--log", default="warning", choices=("debug", "info", "warning", "error"), help="how much to log"
    )


def run(options: argparse.Namespace) -> int:
    """Start the cloud, say when it is ready, and stay until SIGTERM or Ctrl-C."""
    from nephele.config import read_settings
    from nephele.server import serve

    given = {name: value for name, value in vars(options).items() if name not in ("command", "config", "log")}
    settings = read_settings(options.config, **given)
    return serve(settings, log_level=options.log, started=STARTED, say=lambda line: print(line, flush=True))


if __name__ == "__main__":
    sys.exit("run it as `nephele up`")
