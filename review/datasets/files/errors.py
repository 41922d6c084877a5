"""The error of unreadable dataset files. Pure."""

from classifier.ingest.readers.text_lines import UnreadableFile


class UnreadableDataset(UnreadableFile):
    """A file cannot be read, or not to its end. The message tells users what to do."""
