"""The error of unreadable dataset files. Pure."""


class UnreadableDataset(Exception):
    """A file cannot be read, or not to its end. The message tells users what to do."""
