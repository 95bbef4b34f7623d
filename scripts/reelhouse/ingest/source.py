"""Where data comes from: a bucket, or a folder that is read in place."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import ClassVar

from reelhouse.contract import Listing, entities, sort_out, unpacked
from reelhouse.errors import ReelhouseError
from reelhouse.local.bucket import serve_bucket
from reelhouse.progress import Progress, adding
from reelhouse.s3 import (
    AnySink,
    ObjectChanged,
    S3Object,
    S3Settings,
    download,
    list_objects,
    one_client,
    split_url,
    upload,
)
from reelhouse.settings import Settings

LOCAL_BUCKET = "s3://reelhouse"

READ_BYTES = 1 << 20
# A file that changed less than this ago may change again without a new time.
SETTLED_SECONDS = 2


@dataclass(frozen=True)
class Bucket:
    """The objects under an S3 address.

    `is_in_place` says whether an object may still change after `fetch` has read it.
    """

    is_in_place: ClassVar[bool] = False
    s3: S3Settings
    url: str

    def opened(self) -> AbstractContextManager[None]:
        """Let all calls inside the block share one client."""
        return one_client(self.s3)

    def list(self) -> dict[str, S3Object]:
        """Every object by its key; ReelhouseError if the source does not exist."""
        return {found.key: found for found in list_objects(self.s3, self.url)}

    def address(self, key: str) -> str:
        """What an object is called in messages."""
        return f"{self.url}/{key}"

    def fetch(
        self,
        listed: S3Object,
        to: Path,
        new_sink: Callable[[], AnySink],
        progress: Callable[[int], object],
    ) -> AnySink:
        """Make an object readable at `to`; returns the sink that took its bytes.

        Raises ObjectChanged if it is not as it was listed.
        """
        return download(self.s3, self.url, listed, to, new_sink, progress)


@dataclass(frozen=True)
class Folder:
    """The files of a folder, read in place.

    An ETag consists of a file's size, the time it was written and the time it changed,
    which no program can set. If the file may change again within that same time, the
    ETag also has the time when the folder was opened.
    """

    is_in_place: ClassVar[bool] = True
    path: Path
    looked_at: float = field(default_factory=time.time)

    def opened(self) -> AbstractContextManager[None]:
        return nullcontext()

    def list(self) -> dict[str, S3Object]:
        now = datetime.now(UTC)
        found = {}
        for name in _files_of(self.path):
            try:
                file = (self.path / name).stat()
            except FileNotFoundError:
                continue
            etag = f"{file.st_size:x}-{file.st_mtime_ns:x}-{file.st_ctime_ns:x}"
            if self.looked_at - file.st_ctime < SETTLED_SECONDS:
                etag += f"-{self.looked_at:f}"
            # The listing time: everything in the file existed by then.
            found[name] = S3Object(name, etag, file.st_size, now)
        return found

    def address(self, key: str) -> str:
        return str(self.path / key)

    def fetch(
        self,
        listed: S3Object,
        to: Path,
        new_sink: Callable[[], AnySink],
        progress: Callable[[int], object],
    ) -> AnySink:
        sink = new_sink()
        path = (self.path / listed.key).absolute()
        try:
            with path.open("rb") as file:
                while chunk := file.read(READ_BYTES):
                    sink.update(chunk)
                    progress(len(chunk))
        except FileNotFoundError as error:
            raise ObjectChanged(self.address(listed.key), is_removed=True) from error
        to.unlink(missing_ok=True)
        try:
            to.symlink_to(path)
        except OSError:  # a file system without links
            shutil.copyfile(path, to)
        return sink


# What a load reads: objects by their keys, as they were listed.
Source = Bucket | Folder


@contextmanager
def open_source(
    settings: Settings, progress: Progress | None = None
) -> Iterator[Source]:
    """Open the source for reading; the sample is first uploaded to a local bucket.

    So a first run covers every step. Raises ReelhouseError if a folder cannot serve as
    a source.
    """
    if settings.is_remote:
        split_url(settings.source)
        yield Bucket(real_bucket(settings), settings.source)
        return
    folder = Path(settings.source)
    listing = list_folder(folder)
    check_complete(listing, str(folder))
    if not settings.is_sample:
        yield Folder(folder)
        return
    # The client takes as long to import as the server takes to start.
    Thread(target=_import_client, daemon=True).start()
    with serve_bucket() as s3:
        upload_folder(s3, folder, listing, LOCAL_BUCKET, progress)
        yield Bucket(s3, LOCAL_BUCKET)


def _import_client() -> None:
    # The main thread imports it again and reports the error.
    with suppress(Exception):
        import_module("s3fs")


def real_bucket(settings: Settings) -> S3Settings:
    """S3 as the ordinary AWS variables describe it."""
    return S3Settings(endpoint_url=settings.s3_endpoint)


def list_folder(folder: Path) -> Listing:
    """The files of a folder, sorted out like the objects of a bucket."""
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise ReelhouseError(
            f"The source {folder} {what}: name a folder with {_files()}, or an S3 "
            f"address such as s3://bucket/folder."
        )
    return sort_out(_files_of(folder))


def _files_of(folder: Path) -> list[str]:
    """The files of a folder and its subfolders, as keys."""
    found = []
    for root, folders, names in os.walk(folder, followlinks=True):
        place = Path(root)
        above = place
        while above != folder:
            above = above.parent
            if above.samefile(place):
                # A link to one of its parent folders.
                folders.clear()
                names.clear()
        for path in map(place.joinpath, names):
            if path.is_file():
                found.append(path.relative_to(folder).as_posix())
            elif unpacked(path.name).endswith(".csv"):
                is_there = path.exists()
                what = "a pipe or a device" if is_there else "a link to a missing file"
                raise ReelhouseError(f"{path} is {what}: replace or remove it.")
    return found


def check_complete(listing: Listing, source: str) -> None:
    """Raise ReelhouseError if there are no files, or a required one is missing."""
    hints = "".join(f"; {hint}" for hint in listing.hints)
    if not any(listing.by_entity.values()):
        raise ReelhouseError(
            f"{source} contains none of the files {_files()}: check the source{hints}."
        )
    for name, keys in listing.by_entity.items():
        entity = entities()[name]
        if entity.is_required and not keys:
            raise ReelhouseError(
                f"{source} has no {entity.file}.csv (nor {entity.file}/*.csv), which "
                f"the build needs: add it{hints}."
            )


def _files() -> str:
    return ", ".join(f"{entity.file}.csv" for entity in entities().values())


def upload_folder(
    s3: S3Settings,
    folder: Path,
    listing: Listing,
    url: str,
    progress: Progress | None = None,
) -> int:
    """Upload the files of a folder that are read; return their number."""
    files = [(folder / key, key) for keys in listing.by_entity.values() for key in keys]
    total = sum(path.stat().st_size for path, _ in files)
    upload(s3, files, url, adding(progress or (lambda *_: None), "upload", total))
    return len(files)
