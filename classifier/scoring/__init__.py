"""How probable it is that an answer is right: the signals, and what is learned of them. Numbers in, numbers out."""
