"""What others are told, and how it gets there: events for webhooks, and whatever else is owed to others' servers."""
