"""What volumes and images cost over HTTP: `PYTHONPATH=src:. python -m benchmarks.storage [MB] [sparse GB]`.

Prints the median milliseconds from accepting an empty volume to its being available; how fast an image goes up and
comes down, beside what `cp`, `sha512sum` and `md5sum` of the same file take here and now; and how much memory the
cloud takes more while a large image streams through it.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from tests.flows.conftest import connect
from tests.running import RunningCloud, running_cloud

PIECE = 4 << 20


class Client:
    """The clouds' volumes and images, as the user `demo`."""

    def __init__(self, cloud: RunningCloud) -> None:
        token = connect(cloud, "nephele").auth_token
        self.http = httpx.Client(base_url=cloud.url, headers={"X-Auth-Token": token}, timeout=600)

    def volume(self) -> float:
        """Milliseconds from the answer that accepts a volume to the first that says it is available."""
        body = {"volume": {"size": 1}}
        made = self.http.post("/volume/v3/volumes", json=body).json()["volume"]["id"]
        start = time.perf_counter()
        while self.http.get(f"/volume/v3/volumes/{made}").json()["volume"]["status"] != "available":
            time.sleep(0.001)
        took = (time.perf_counter() - start) * 1000
        self.http.delete(f"/volume/v3/volumes/{made}")
        return took

    def upload(self, path: Path) -> str:
        """A new image with the file's data."""
        words = {"name": "bench", "disk_format": "raw", "container_format": "bare"}
        made = str(self.http.post("/image/v2/images", json=words).json()["id"])
        headers = {"Content-Type": "application/octet-stream"}
        answer = self.http.put(f"/image/v2/images/{made}/file", content=_read(path), headers=headers)
        assert answer.status_code == 204, answer.text
        return made

    def download(self, image_id: str) -> int:
        """How many bytes came."""
        with self.http.stream("GET", f"/image/v2/images/{image_id}/file") as answer:
            return sum(len(piece) for piece in answer.iter_raw(PIECE))


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def _timed(do: Callable[[], Any]) -> float:
    start = time.perf_counter()
    do()
    return time.perf_counter() - start


def _copied_and_hashed(path: Path) -> None:
    copy = path.with_suffix(".copy")
    subprocess.run(["cp", "--sparse=never", path, copy], check=True)
    for program in ("sha512sum", "md5sum"):
        subprocess.run([program, copy], check=True, stdout=subprocess.DEVNULL)
    copy.unlink()


def _resident_mb(process_id: int, field: str) -> float:
    status = Path(f"/proc/{process_id}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith(field)).split()[1]) / 1024


def main(megabytes: int, sparse_gb: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as directory, running_cloud(Path(directory) / "state") as cloud:
        client, path = Client(cloud), Path(directory) / "data"
        client.volume()
        print(f"volume, accepted to available   {median(client.volume() for _ in range(25)):7.1f} ms")
        with path.open("wb") as file:
            for _ in range(megabytes):
                file.write(os.urandom(1 << 20))
        mine, up, down = [], [], []
        for _three in range(3):
            mine.append(_timed(lambda: _copied_and_hashed(path)))
            image: list[str] = []
            up.append(_timed(lambda: image.append(client.upload(path))))  # noqa: B023 - called at once
            down.append(_timed(lambda: client.download(image[0])))  # noqa: B023 - called at once
            client.http.delete(f"/image/v2/images/{image[0]}")
        base = median(mine)
        print(f"cp + sha512sum + md5sum         {megabytes / base:7.0f} MB/s")
        for name, took in (("upload", median(up)), ("download", median(down))):
            print(f"{name:<31} {megabytes / took:7.0f} MB/s   {100 * base / took:.0f} % of that speed")
        path.unlink()
        path.touch()
        os.truncate(path, sparse_gb << 30)
        before = _resident_mb(cloud.process.pid, "VmRSS")
        image_id = client.upload(path)
        assert client.download(image_id) == sparse_gb << 30
        peak = _resident_mb(cloud.process.pid, "VmHWM")
        print(f"{sparse_gb} GB up and down: {peak - before:.0f} MB more than the {before:.0f} MB before")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 512, int(sys.argv[2]) if len(sys.argv) > 2 else 10)
