"""The HTTP API of what people decide and of what follows from it: doors like the pages, for programs."""
