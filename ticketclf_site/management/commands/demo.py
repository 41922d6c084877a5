from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from review import demo


class Command(BaseCommand):
    help = "Set up, classify the demo inbox, compare the models, and serve on http://127.0.0.1:8000 until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-serve", action="store_true", help="exit after printing the results")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, no_serve: bool, port: int, **options: Any) -> None:
        call_command("setup")
        passwords = demo.create_users()
        demo.fill_inbox()
        demo.classify_inbox()
        for line in demo.summary_lines():
            self.stdout.write(line)
        self.stdout.write("")
        call_command("benchmark", stdout=self.stdout, stderr=self.stderr)
        self.stdout.write("")
        for name, password in passwords.items():
            self.stdout.write(f"Sign in as {name} with the password {password} (shown only once)")
        if not no_serve:
            call_command("serve", port=port, stdout=self.stdout, stderr=self.stderr)
