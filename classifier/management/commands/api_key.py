"""Creates an API key and prints it once."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from classifier.api import keys
from classifier.models.api_keys import PER_MINUTE, Scope


class Command(BaseCommand):
    help = "Create an API key and print it. It can't be shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="what will use the key")
        parser.add_argument("--user", required=True, help="user name of the account that the key acts as")
        parser.add_argument("--scopes", required=True, nargs="+", choices=Scope.values, metavar="SCOPE")
        parser.add_argument("--days", type=int, help="days until it expires (default: never)")
        parser.add_argument("--per-minute", type=int, default=PER_MINUTE, help="requests per minute; 0 for no limit")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"], is_active=True).first()
        if user is None:
            raise CommandError(f"No active user {options['user']!r}.")
        if not options["name"].strip() or len(options["name"]) > 80:
            raise CommandError("The name must have 1 to 80 characters.")
        days, per_minute = options["days"], options["per_minute"]
        if not (days is None or 1 <= days <= 36_500) or not 0 <= per_minute <= 1_000_000:
            raise CommandError("--days must be 1 to 36500, --per-minute 0 to 1000000.")
        expires_at = timezone.now() + timedelta(days=days) if days else None
        _key, shown = keys.create_key(
            options["name"], user, options["scopes"], expires_at=expires_at, per_minute=per_minute
        )
        self.stdout.write(shown)
