from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet

from classifier.models import Erasure, Ticket
from classifier.privacy import erasure


class Command(BaseCommand):
    help = "Erase a customer's texts from every table, or mask their personal data. Lists what it can't reach."

    def add_arguments(self, parser: CommandParser) -> None:
        whose = parser.add_mutually_exclusive_group(required=True)
        whose.add_argument("--customer", metavar="NAME", help="all tickets of this customer (exact spelling)")
        whose.add_argument("--ticket", type=int, metavar="ID", help="a single ticket")
        parser.add_argument(
            "--ignore-case", action="store_true", help="ignore case in the customer's name (reads the whole table)"
        )
        parser.add_argument(
            "--mask", action="store_true", help="mask addresses, numbers, accounts and names instead of erasing"
        )
        parser.add_argument("--dry-run", action="store_true", help="only show how many tickets would be affected")

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
        tickets = _chosen_tickets(customer, ticket, ignore_case)
        number = tickets.count()
        if not number:
            raise CommandError("No such ticket. Customer names must match exactly; see --ignore-case.")
        if dry_run:
            self.stdout.write(f"{number:,} tickets would be {'masked' if mask else 'erased'}.")
        else:
            self._report(number, erasure.erase(tickets, masks=mask))
        self.stdout.write("Backups and earlier exports are not erased; delete those yourself.")

    def _report(self, number: int, record: Erasure) -> None:
        self.stdout.write(f"{number:,} tickets {record.get_kind_display()}, recorded as erasure {record.pk}.")
        for name, rows in sorted(record.counts.items()):
            self.stdout.write(f"  {rows:,} {name}")
        for name in record.remains:
            self.stdout.write(self.style.WARNING(f"Out of reach: {name}."))


def _chosen_tickets(customer: str | None, ticket: int | None, any_case: bool) -> QuerySet[Ticket]:
    if customer is None:
        return Ticket.objects.filter(pk=ticket or 0)
    return erasure.tickets_of_customer(customer, any_case=any_case)
