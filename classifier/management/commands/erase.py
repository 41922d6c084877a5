from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet

from classifier.models import Erasure, Ticket
from classifier.privacy import erasure


class Command(BaseCommand):
    help = "Take a person's texts out of every table, or the personal data in them; says what it cannot reach."

    def add_arguments(self, parser: CommandParser) -> None:
        whose = parser.add_mutually_exclusive_group(required=True)
        whose.add_argument("--customer", metavar="NAME", help="all tickets of this customer, spelt as they came")
        whose.add_argument("--ticket", type=int, metavar="ID", help="one ticket")
        parser.add_argument("--ignore-case", action="store_true", help="of the customer's name; reads the whole table")
        parser.add_argument("--mask", action="store_true", help="only addresses, numbers, accounts and the name")
        parser.add_argument("--dry-run", action="store_true", help="only say how many tickets it would be")

    def handle(
        self,
        *args: Any,
        customer: str | None,
        ticket: int | None,
        ignore_case: bool,
        mask: bool,
        dry_run: bool,
        **options: Any,
    ) -> None:
        found = _meant(customer, ticket, ignore_case)
        number = found.count()
        if not number:
            raise CommandError("There is no such ticket. Names are compared letter by letter; see --ignore-case.")
        if dry_run:
            self.stdout.write(f"{number:,} tickets would be {'masked' if mask else 'erased'}.")
        else:
            self._report(number, erasure.erase(found, masks=mask))
        self.stdout.write("Backups, and files that were exported before, are yours to see to.")

    def _report(self, number: int, record: Erasure) -> None:
        self.stdout.write(f"{number:,} tickets {record.get_kind_display()}, noted as erasure {record.pk}.")
        for name, rows in sorted(record.counts.items()):
            self.stdout.write(f"  {rows:,} {name}")
        for name in record.remains:
            self.stdout.write(self.style.WARNING(f"Out of reach: {name}."))


def _meant(customer: str | None, ticket: int | None, any_case: bool) -> QuerySet[Ticket]:
    if customer is None:
        return Ticket.objects.filter(pk=ticket or 0)
    return erasure.tickets_of_customer(customer, any_case=any_case)
