import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ticketclf_site.operations.doctor import checks
from ticketclf_site.operations.doctor.checks import Finding, Level


class Command(BaseCommand):
    help = "Check the installation and say what to do. Exits with 1 if something must be fixed."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--offline", action="store_true", help="do not call the models")
        parser.add_argument("--json", action="store_true", help="one JSON object per line")

    def handle(self, *args: Any, offline: bool, json: bool, **options: Any) -> None:
        failed = False
        for finding in checks.run_checks(offline=offline):
            failed = failed or finding.level == Level.FAIL
            self.stdout.write(_as_json(finding) if json else self._styled(finding))
        if failed:
            sys.exit(1)

    def _styled(self, finding: Finding) -> str:
        style = {Level.OK: self.style.SUCCESS, Level.WARN: self.style.WARNING, Level.FAIL: self.style.ERROR}
        return style[finding.level](str(finding))


def _as_json(finding: Finding) -> str:
    return json.dumps(asdict(finding), ensure_ascii=False)
