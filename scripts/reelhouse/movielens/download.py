"""Download: a real MovieLens release from GroupLens, verified and unpacked."""

from __future__ import annotations

import json
import logging
import shutil
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pooch
import requests
import yaml

from reelhouse.contract import entities
from reelhouse.errors import ReelhouseError, naming
from reelhouse.progress import Progress

BASE_URL = "https://files.grouplens.org/datasets/movielens"
LICENCE = "MOVIELENS-LICENCE.txt"
RECORD = "release.json"
README = "README.txt"
# The folder for files that are not complete yet.
UNFINISHED = "unfinished"

CHUNK_BYTES = 1 << 16
RETRIES = 2
TIMEOUT_SECONDS = (10.0, 30.0)
# Real archives unpack to less than five times their size.
MAX_EXPANSION = 20

_READ = yaml.safe_load(
    resources.files(__package__).joinpath("releases.yml").read_text(encoding="utf-8")
)
TERMS: str = _READ["terms"]
RELEASES: dict[str, dict[str, str | None]] = _READ["releases"]


class DownloadError(ReelhouseError):
    """The download failed; no partial file is left."""


@dataclass(frozen=True)
class DownloadReport:
    """What the folder contains; `files` maps names to sizes in bytes."""

    name: str
    out: Path
    files: dict[str, int]
    sha256: str
    is_fixed: bool
    is_new: bool


class _Bar:
    """The progress bar for pooch, in bytes; it sets `total` anew for each attempt."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.total = 0

    @property
    def total(self) -> int:
        return self._total

    @total.setter
    def total(self, total: int) -> None:
        self._total = total
        self.reset()

    def reset(self) -> None:
        self._done = 0

    def update(self, received: int) -> None:
        self._done += received
        self._progress("download", self._done, self.total)

    def close(self) -> None:
        """Do nothing: there is nothing to close."""


def download(
    name: str,
    out: Path,
    agree: Callable[[str], bool],
    progress: Progress = lambda *_: None,
) -> DownloadReport:
    """Fetch release `name` into the folder `out`: its CSV files and its README.

    `agree` is called once per folder, with the terms; a yes is stored beside the data.
    The files get their final names when all of them are verified and unpacked.

    Raises DownloadError, or OSError if `out` cannot be written.
    """
    if name not in RELEASES:
        raise DownloadError(
            f"There is no release '{name}': choose one of {', '.join(RELEASES)}."
        )
    published = RELEASES[name]["sha256"]
    is_fixed = published is not None
    url = f"{BASE_URL}/{name}.zip"
    unfinished = out / UNFINISHED
    try:
        out.mkdir(parents=True, exist_ok=True)
        _check_folder(out, name)
        if record := _finished(out):
            files, sha256 = record["files"], record["sha256"]
            return DownloadReport(name, out, files, sha256, is_fixed, is_new=False)
        _settle_terms(out, name, agree)
        try:
            with naming(out):
                archive = _fetch(url, unfinished, published, progress)
                sha256 = published or pooch.file_hash(str(archive))
                files = _unpack(archive, name, progress)
                record = {"release": name, "sha256": sha256, "files": files}
                (unfinished / RECORD).write_text(json.dumps(record, indent=2) + "\n")
                # Without a record, the files do not count as downloaded.
                (out / RECORD).unlink(missing_ok=True)
                for each in (*files, RECORD):
                    (unfinished / each).replace(out / each)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    except requests.exceptions.RequestException as error:
        raise _explained(url, error) from error
    return DownloadReport(name, out, files, sha256, is_fixed, is_new=True)


def csv_names() -> list[str]:
    return [f"{entity.file}.csv" for entity in entities().values()]


def _check_folder(out: Path, name: str) -> None:
    """Raise DownloadError if the folder holds anything but this release."""
    found = {each.name for each in out.iterdir()}
    if LICENCE in found:
        found -= {*csv_names(), README, LICENCE, RECORD, UNFINISHED}
    if found:
        raise DownloadError(
            f"{out} holds other files (such as {min(found)}): name an empty folder "
            f"for the release."
        )
    if (held := _record(out).get("release", name)) != name:
        raise DownloadError(f"{out} holds {held}: name another folder for {name}.")


def _record(out: Path) -> dict[str, Any]:
    try:
        record = json.loads((out / RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _finished(out: Path) -> dict[str, Any]:
    """The record of an earlier download, if all of its files are still there."""
    record = _record(out)
    files = {out / each: size for each, size in record.get("files", {}).items()}
    is_there = all(p.is_file() and p.stat().st_size == n for p, n in files.items())
    return record if is_there else {}


def _settle_terms(out: Path, name: str, agree: Callable[[str], bool]) -> None:
    kept = out / LICENCE
    passing_on = RELEASES[name]["passing_on"]
    terms = TERMS.format(name=name, passing_on=passing_on, url=BASE_URL)
    if kept.exists() and kept.read_text(encoding="utf-8").startswith(terms):
        return
    if not agree(terms):
        raise DownloadError(
            f"{name} was not downloaded, because its terms were not accepted: read "
            f"them, then say yes or use --accept-licence."
        )
    kept.write_text(f"{terms}\nAccepted before the download.\n", encoding="utf-8")


def _fetch(url: str, folder: Path, sha256: str | None, progress: Progress) -> Path:
    """Download the archive into a new `folder`, and verify it if `sha256` is given."""
    shutil.rmtree(folder, ignore_errors=True)
    # The progress bar and our errors replace pooch's own messages.
    pooch.get_logger().setLevel(logging.ERROR)
    base, _, file = url.rpartition("/")
    shelf = pooch.create(
        folder, f"{base}/", registry={file: sha256}, retry_if_failed=RETRIES
    )
    fetch = pooch.HTTPDownloader(
        progressbar=_Bar(progress), chunk_size=CHUNK_BYTES, timeout=TIMEOUT_SECONDS
    )
    try:
        return Path(shelf.fetch(file, downloader=fetch))
    except requests.exceptions.RequestException:
        raise
    except ValueError as error:
        raise DownloadError(
            f"{url} differs from the published file (it has another SHA-256): a proxy "
            f"may have answered in its place, so run the command again later."
        ) from error


def _unpack(archive: Path, name: str, progress: Progress) -> dict[str, int]:
    """Unpack the known files beside the archive; return their sizes in bytes."""
    wanted = {f"{name}/{each}" for each in [*csv_names(), README]}
    needed = {f"{name}/{e.file}.csv" for e in entities().values() if e.is_required}
    files: dict[str, int] = {}
    try:
        with zipfile.ZipFile(archive) as packed:
            members = {e.filename: e for e in packed.infolist() if e.filename in wanted}
            total = sum(each.file_size for each in members.values())
            if missing := sorted(needed - members.keys()):
                raise zipfile.BadZipFile(f"{missing[0]} is missing")
            if total > archive.stat().st_size * MAX_EXPANSION:
                raise zipfile.BadZipFile(f"it would unpack to {total:,} bytes")
            for member in members.values():
                path = Path(packed.extract(member, archive.parent))
                files[path.name] = member.file_size
                path.replace(archive.with_name(path.name))
                progress("unpack", sum(files.values()), total)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise DownloadError(
            f"{name}.zip is damaged or not a MovieLens release ({error}): run the "
            f"command again later."
        ) from error
    return files


def _explained(url: str, error: requests.exceptions.RequestException) -> DownloadError:
    host = urlsplit(url).hostname
    if isinstance(error, requests.exceptions.SSLError):
        if "certificate has expired" in str(error):
            return DownloadError(
                f"The certificate of {host} has expired, so it cannot be trusted: "
                f"check this machine's clock; if that is right, only the owners of "
                f"{host} can renew it, so try again in a day or two."
            )
        return DownloadError(
            f"{host} has a certificate that cannot be trusted: if you use a proxy, set "
            f"REQUESTS_CA_BUNDLE to the file of its certificate authority."
        )
    if isinstance(error, requests.exceptions.HTTPError):
        return DownloadError(
            f"{url} cannot be read ({error}): check whether the release is still "
            f"offered, and try again later."
        )
    return DownloadError(
        f"{host} cannot be reached, or the connection was lost: check the network (and "
        f"HTTPS_PROXY, if you need a proxy), then run the command again."
    )
