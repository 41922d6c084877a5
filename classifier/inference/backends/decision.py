"""Reads the body of a decision: a probability for each option of each question. Pure."""

import json
import math
from collections.abc import Mapping
from typing import Any

from classifier.contract.types import Usage
from classifier.inference.backends.completion import raise_if_error, token_usage

Decision = dict[str, dict[str, float] | None]
"""By question: the probability of each option, summing to one; None where the model refused the question."""


def read_decision(body: bytes) -> tuple[Decision, Usage]:
    """The decision and its tokens. Raises ErrorReply, and ValueError or TypeError for anything that is not the
    protocol's.
    """
    data = json.loads(body)
    raise_if_error(data)
    answers = {answer["name"]: _probabilities(answer) for answer in data["answers"]}
    return answers, token_usage(data, "input", "output")


def _probabilities(answer: Mapping[str, Any]) -> dict[str, float] | None:
    if answer["type"] == "refusal":
        return None
    shares = {str(option["value"]): float(option["probability"]) for option in answer["probabilities"]}
    total = sum(shares.values())
    if len(shares) < len(answer["probabilities"]) or min(shares.values()) < 0 or not 0 < total < math.inf:
        raise ValueError("not probabilities")
    return {value: share / total for value, share in shares.items()}
