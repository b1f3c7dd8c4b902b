"""Print the Prometheus recording rules and alerts for services that run heap-exporter.

Without options it prints alerts/heap_exporter.rules.yml. Each option sets one threshold. The longer ranges, the offsets
and the interval of the rule group follow --window: with 15m, the rules look at 15m, 1h and 6h.

    heap-exporter rules -o heap_exporter.rules.yml
    heap-exporter rules --window 30m --min-slope 10MiB/h --for 30m
"""

from __future__ import annotations

import argparse
import shlex
import sys

from heap_exporter.alerting import AlertThresholds, render_rules
from heap_exporter.alerting.thresholds import options
from heap_exporter.cli import files
from heap_exporter.cli.screen import stdout_errors

HELP = "print the Prometheus alert rules with your thresholds"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add an option for each threshold, and the file to write."""
    for name, option in options().items():
        why = option.why.replace("%", "%%")
        parser.add_argument(option.flag, dest=name, metavar=option.quantity.text(option.default), help=why)
    parser.add_argument("-o", "--output", type=files.output_path, metavar="FILE", help="write the rules to this file")


def run(args: argparse.Namespace) -> int:
    """Print or write the alert rules, and return the exit code 0 of the command.

    Raises :class:`HeapExporterError` for a bad threshold or file.
    """
    typed = {name: text for name in options() if (text := getattr(args, name)) is not None}
    rules = render_rules(AlertThresholds.read(typed), _command(typed))
    if args.output is None:
        with stdout_errors():
            sys.stdout.write(rules)
        return 0
    files.write_text(args.output, rules)
    return 0


def _command(typed: dict[str, str]) -> str:
    words = ["heap-exporter", "rules"]
    for name, text in typed.items():
        words += [options()[name].flag, text]
    return shlex.join(words)
