"""Dataset files as rows: a mapping from column to value each, or Refused with the reason. Pure."""


class UnreadableDataset(Exception):
    """A file that gives no records, or no more. The message is fit for users and says what to do."""
