"""Sessions with the server, on psql alone, and what can be seen of a backend from outside."""

import os
import subprocess
import threading
import time
from pathlib import Path

NULL = "\\N"


class Session:
    """One psql, and so one backend, fed statement by statement."""

    def __init__(self, database: str):
        self.psql = subprocess.Popen(
            ["psql", "-X", "-q", "-A", "-t", "-d", database, "-v", "ON_ERROR_STOP=1", "-P", f"null={NULL}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PGOPTIONS": "-c client_min_messages=warning"},
            text=True,
        )
        self.pid = int(self.one("SELECT pg_backend_pid()"))

    def rows(self, sql: str) -> list[list[str]]:
        """The rows of a statement's result."""
        self.psql.stdin.write(f"{sql.rstrip().rstrip(';')};\n\\echo __end__\n")
        self.psql.stdin.flush()
        rows = []
        while (line := self.psql.stdout.readline()) != "__end__\n":
            if not line:
                raise RuntimeError(f"psql ended at: {sql[:200]}")
            rows.append(line[:-1].split("|"))
        return rows

    def one(self, sql: str) -> str | None:
        """The first column of the first row."""
        rows = self.rows(sql)
        return None if not rows or rows[0][0] == NULL else rows[0][0]

    run = rows

    def cpu_seconds(self) -> float:
        """The processor time that the backend has taken so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """Ends the session."""
        self.psql.stdin.close()
        self.psql.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Memory:
    """The peak of a process's own memory, in MB, while the block runs: what it maps alone, not the
    shared buffers that it has touched."""

    def __init__(self, pid: int):
        self.status = f"/proc/{pid}/status"
        self.peak_mb = 0.0
        self.ended = threading.Event()
        self.watcher = threading.Thread(target=self.watch, daemon=True)

    def watch(self) -> None:
        while not self.ended.wait(0.05):
            try:
                with open(self.status) as lines:
                    kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
            except (OSError, StopIteration):
                return
            self.peak_mb = max(self.peak_mb, kilobytes / 1024)

    def __enter__(self):
        self.watcher.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.watcher.join()


class Timer:
    """How long a block took, by the clock and of the processor: on a shared machine the latter tells more."""

    def __init__(self, session: Session):
        self.session = session

    def __enter__(self):
        self.cpu = -self.session.cpu_seconds()
        self.seconds = -time.perf_counter()
        return self

    def __exit__(self, *_):
        self.seconds += time.perf_counter()
        self.cpu += self.session.cpu_seconds()


class Took:
    """Seconds by the clock and of the processor, to be added up."""

    def __init__(self, seconds: float = 0.0, cpu: float = 0.0):
        self.seconds, self.cpu = seconds, cpu

    def __add__(self, other):
        return Took(self.seconds + other.seconds, self.cpu + other.cpu)
