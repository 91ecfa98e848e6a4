"""What a peer hands to the benchmark: phases, memory, pairs with probabilities, clusters."""

import csv
import json
import resource
import time
from contextlib import contextmanager
from pathlib import Path

LEAST = 0.001  # pairs less probable are of no use to anybody


class Result:
    """Files in a folder: pairs.csv (a,b,probability), clusters.csv (unique_id,cluster_id), result.json."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.phases = {}
        self.facts = {}

    @contextmanager
    def phase(self, name):
        began = time.perf_counter()
        yield
        self.phases[name] = round(self.phases.get(name, 0.0) + time.perf_counter() - began, 3)

    def write(self, name, header, rows):
        with open(self.folder / name, "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)

    def timed(self):
        """The work ends here: what follows is for the score alone."""
        self.facts["seconds"] = round(sum(s for phase, s in self.phases.items() if phase != "import"), 3)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self.facts["cpu_seconds"] = round(usage.ru_utime + usage.ru_stime, 3)
        self.facts["peak_rss_mb"] = round(usage.ru_maxrss / 1024)

    def close(self, **facts):
        text = json.dumps({"phases": self.phases, **self.facts, **facts})
        (self.folder / "result.json").write_text(text)
