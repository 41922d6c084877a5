"""Makes a key of the HTTP API and prints it, this once."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from classifier.api import keys
from classifier.models.api_keys import PER_MINUTE, Scope


class Command(BaseCommand):
    help = "Makes a key of the HTTP API and prints it; it cannot be shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="what will use the key")
        parser.add_argument("--user", required=True, help="the name of the person whom it acts as")
        parser.add_argument("--scopes", required=True, nargs="+", choices=Scope.values, metavar="SCOPE")
        parser.add_argument("--days", type=int, help="so many days it is good for; else until it is revoked")
        parser.add_argument("--per-minute", type=int, default=PER_MINUTE, help="requests a minute; 0: no limit")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"], is_active=True).first()
        if user is None:
            raise CommandError(f"Nobody here is called {options['user']!r} and may sign in.")
        if not options["name"].strip() or len(options["name"]) > 80:
            raise CommandError("A name has 1 to 80 characters.")
        days, per_minute = options["days"], options["per_minute"]
        if not (days is None or 1 <= days <= 36_500) or not 0 <= per_minute <= 1_000_000:
            raise CommandError("Days are 1 to 36500, requests a minute 0 to 1000000.")
        expires_at = timezone.now() + timedelta(days=days) if days else None
        _key, shown = keys.create_key(
            options["name"], user, options["scopes"], expires_at=expires_at, per_minute=per_minute
        )
        self.stdout.write(shown)
