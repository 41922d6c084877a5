"""What is promised of tickets that nobody looks at, from blind audits: the statistics, and what keeps their books."""
