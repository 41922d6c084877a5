import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ticketclf_site.operations.doctor import examine
from ticketclf_site.operations.doctor.examine import Finding, Level


class Command(BaseCommand):
    help = "Look the installation over, and say what to do. Fails where something has to be mended."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--offline", action="store_true", help="do not ask the models")
        parser.add_argument("--json", action="store_true", help="a JSON object a line")

    def handle(self, *args: Any, offline: bool, json: bool, **options: Any) -> None:
        failed = False
        for finding in examine.examine(offline=offline):
            failed = failed or finding.level == Level.FAIL
            self.stdout.write(_as_json(finding) if json else self._styled(finding))
        if failed:
            sys.exit(1)

    def _styled(self, finding: Finding) -> str:
        style = {Level.OK: self.style.SUCCESS, Level.WARN: self.style.WARNING, Level.FAIL: self.style.ERROR}
        return style[finding.level](str(finding))


def _as_json(finding: Finding) -> str:
    return json.dumps(asdict(finding), ensure_ascii=False)
