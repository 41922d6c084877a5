"""Cost of the specialist: per ticket, per training, for pages during training, and in memory."""

import argparse
import gzip
import http.client
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median, quantiles

from bench.harness import ROOT, fresh_installation, process_tree, resident_mb, table
from bench.review import PORT

CLASSIFIED = 400
VISITS = 60


def main(file: Path, labels: int) -> None:
    fresh_installation()
    _label(file, labels)
    first, again = _train(), _train()
    times = _one_ticket(file)
    serve = subprocess.Popen(  # noqa: S603 - a command of ours
        [sys.executable, str(ROOT / "manage.py"), "serve", "--port", str(PORT)], stdout=subprocess.DEVNULL
    )
    try:
        _warm_up(file)
        quiet = _visits()
        # As the worker starts it: a command of ours, that yields to all others.
        trains = subprocess.Popen(  # noqa: S603
            [sys.executable, str(ROOT / "manage.py"), "train"],
            stdout=subprocess.DEVNULL,
            preexec_fn=lambda: os.nice(19),
        )
        time.sleep(2)
        busy = _visits()
        still = trains.poll() is None
        trains.wait()
        memory = sum(resident_mb(pid) for pid in process_tree(serve.pid))
    finally:
        serve.terminate()
        serve.wait(30)
    table(
        f"The specialist with {labels} labels",
        ["what", "figure", "limit"],
        [
            ["one ticket, p50", f"{times[0]:.1f} ms", ""],
            ["one ticket, p95", f"{times[1]:.1f} ms", "10 ms"],
            ["of that the bare encoder, p50 and p95", f"{times[2]:.1f}, {times[3]:.1f} ms", ""],
            ["first training", f"{first:.1f} s", ""],
            ["training again", f"{again:.1f} s", "15 s"],
            ["a page, p50", f"{quiet:.1f} ms", ""],
            ["a page while it trains, p50", f"{busy:.1f} ms" + ("" if still else " (it had finished)"), ""],
            ["ratio", f"{busy / quiet:.2f}", "1.20"],
            ["memory of serve", f"{memory:.0f} MB", "600 MB"],
        ],
    )


def _label(file: Path, most: int) -> None:
    """Import the rows of a file as training labels, with their categories as the taxonomy and the embedded model's
    sentiments: random sentiments would teach nothing.
    """
    from classifier.embeddings import vector_store
    from classifier.learning.heads import BoundHead, Head
    from classifier.models import Category, ContractVersion, Sentiment
    from review.gold import gold_labels
    from review.models import GoldLabel, Side
    from review.specialist.training_data import offered_sentiments

    with gzip.open(file, "rt") as lines:
        rows = [row for row in map(json.loads, lines) if row["category"] and row.get("split") != "test"][:most]
    Category.objects.update(retired=True)
    Category.objects.bulk_create(Category(name=name) for name in sorted({row["category"] for row in rows}))
    categories = {category.name: category for category in Category.objects.active()}
    texts = [row["text"] for row in rows]
    sentiment_head = BoundHead(Head.untrained(), offered_sentiments(ContractVersion.objects.current().terms.sentiments))
    predicted = sentiment_head.probabilities(vector_store.embeddings_for(texts), texts).argmax(axis=1)
    sentiments = list(Sentiment.objects.active())
    labels = {
        GoldLabel.digest_of(row["text"]): GoldLabel(
            text=row["text"],
            digest=GoldLabel.digest_of(row["text"]),
            category=categories[row["category"]],
            sentiment=sentiments[predicted[number]],
            origin=GoldLabel.Origin.IMPORT,
        )
        for number, row in enumerate(rows)
    }
    for start in range(0, len(labels), 1_000):
        part = list(labels.values())[start : start + 1_000]
        gold_labels.add_gold_labels(part, dict.fromkeys((label.digest for label in part), Side.TRAINING))


def _train() -> float:
    """Seconds that a training takes by itself, in a process of its own as the worker starts it."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, str(ROOT / "manage.py"), "train"], check=True)  # noqa: S603 - a command of ours
    return time.perf_counter() - begun


def _one_ticket(file: Path) -> tuple[float, float, float, float]:
    """Milliseconds for one ticket with everything loaded: median and 95th percentile; and of the encoder alone."""
    from classifier.embeddings import encoders
    from classifier.embeddings.sources import MINILM
    from classifier.inference import ask_models
    from classifier.models import ContractVersion, LanguageModel

    language_model, version = LanguageModel.objects.get(name="specialist"), ContractVersion.objects.current()
    with gzip.open(file, "rt") as lines:
        texts = [json.loads(line)["text"] for line in lines][-CLASSIFIED:]
    model = encoders.load_onnx(MINILM)
    took: list[float] = []
    bare: list[float] = []
    for text in texts:
        begun = time.perf_counter()
        list(model.encode_pieces([text]))
        between = time.perf_counter()
        ask_models.ask(text, language_model, version)
        bare.append((between - begun) * 1000)
        took.append((time.perf_counter() - between) * 1000)
    return median(took[20:]), quantiles(took[20:], n=20)[-1], median(bare[20:]), quantiles(bare[20:], n=20)[-1]


def _warm_up(file: Path) -> None:
    """Have the worker load all there is, and the web process answer."""
    from classifier.models import Gate, LanguageModel, Ticket

    Gate.objects.update(primary=LanguageModel.objects.get(name="specialist"), second_opinion=None)
    for number in range(80):
        Ticket.objects.create(text=f"My card payment was declined, number {number}")
    while Ticket.objects.new().exists():
        time.sleep(0.2)
    _visits()


def _visits() -> float:
    """Milliseconds for the sign-in page, the median of many."""
    took = []
    for _visit in range(VISITS):
        begun = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
        connection.request("GET", "/sign-in/")
        assert connection.getresponse().read()
        connection.close()
        took.append((time.perf_counter() - begun) * 1000)
    return median(took)


if __name__ == "__main__":
    os.environ.setdefault("TICKETCLF_LOG_LEVEL", "ERROR")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--labels", type=int, default=10_000)
    main(**vars(parser.parse_args()))
