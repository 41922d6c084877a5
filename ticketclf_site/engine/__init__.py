"""The engines of background work behind the one Tasks API: procrastinate on PostgreSQL, django-tasks-db on SQLite."""
