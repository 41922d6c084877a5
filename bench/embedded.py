"""Speed of reading, classifying and storing with the embedded model, compared with the bare encoder."""

import argparse
import os
import time

from bench.harness import fresh_installation, messages, resident_mb, table


def main(tickets: int, rounds: int) -> None:
    fresh_installation()
    from classifier.embeddings import encoders
    from classifier.embeddings.sources import MINILM
    from classifier.models import Ticket
    from classifier.pipeline import runner

    # Texts of their own for each round: vectors that are stored or remembered would cost nothing.
    every = messages(tickets * rounds)
    bare = encoders.load_onnx(MINILM)
    list(bare.encode_pieces(every[:64]))
    rows = []
    for first in range(0, len(every), tickets):
        texts = every[first : first + tickets]
        begun = time.perf_counter()
        for start in range(0, len(texts), 64):
            list(bare.encode_pieces(texts[start : start + 64]))
        encoded = len(texts) / (time.perf_counter() - begun)
        Ticket.objects.bulk_create([Ticket(text=text) for text in texts])
        begun = time.perf_counter()
        while runner.classify_next_batch():
            pass
        classified = len(texts) / (time.perf_counter() - begun)
        rows.append([f"{encoded:.0f}", f"{classified:.0f}", f"{classified / encoded:.2f}"])
    table("Embedded model, tickets a second", ["bare encoder", "read, classify, write", "ratio (>= 0.70)"], rows)
    print(f"resident memory {resident_mb(os.getpid()):.0f} MB (< 400)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    main(**vars(parser.parse_args()))
