"""The HTTP API of tickets and models: doors like the pages, for programs."""
