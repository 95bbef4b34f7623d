"""Where data comes from: a folder served by the local bucket, or a real bucket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reelhouse.contract import Listing, entities, sort_out
from reelhouse.errors import ReelhouseError
from reelhouse.local.bucket import serve_bucket
from reelhouse.progress import Progress
from reelhouse.s3 import S3Settings, split_url, upload
from reelhouse.settings import Settings

LOCAL_BUCKET = "s3://reelhouse"


@dataclass(frozen=True)
class Source:
    """An S3 address to load from, and files of a folder that were not put there."""

    s3: S3Settings
    url: str
    ignored: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()


@contextmanager
def open_source(
    settings: Settings, progress: Progress | None = None
) -> Iterator[Source]:
    """The source, ready to be read; a folder is uploaded to a local bucket first.

    Raises ReelhouseError where the folder cannot serve as a source.
    """
    if settings.is_remote:
        split_url(settings.source)
        yield Source(real_bucket(settings), settings.source)
        return
    folder = Path(settings.source)
    listing = list_folder(folder)
    check_complete(listing, str(folder))
    with serve_bucket() as s3:
        upload_folder(s3, folder, listing, LOCAL_BUCKET, progress)
        yield Source(s3, LOCAL_BUCKET, tuple(listing.ignored), tuple(listing.hints))


def real_bucket(settings: Settings) -> S3Settings:
    """S3 as the ordinary AWS variables describe it."""
    return S3Settings(endpoint_url=settings.s3_endpoint)


def list_folder(folder: Path) -> Listing:
    """The files of a folder, sorted out as the objects of a bucket would be."""
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise ReelhouseError(
            f"The source {folder} {what}: name a folder with {_files()}, or an S3 "
            f"address such as s3://bucket/folder."
        )
    return sort_out(
        [
            path.relative_to(folder).as_posix()
            for path in folder.rglob("*")
            if path.is_file()
        ]
    )


def check_complete(listing: Listing, source: str) -> None:
    """Raise ReelhouseError where a file is missing that nothing can do without."""
    hints = "".join(f" {hint}." for hint in listing.hints)
    if not any(listing.by_entity.values()):
        raise ReelhouseError(
            f"{source} holds none of the files {_files()}: check the source.{hints}"
        )
    for name, keys in listing.by_entity.items():
        entity = entities()[name]
        if entity.is_required and not keys:
            raise ReelhouseError(
                f"{source} holds no {entity.file}.csv (nor {entity.file}/*.csv), "
                f"without which there is nothing to build: add it.{hints}"
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
    """Upload the files of a folder that are read; their number."""
    files = [(folder / key, key) for keys in listing.by_entity.values() for key in keys]
    total = sum(path.stat().st_size for path, _ in files)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress("upload", done, total)

    upload(s3, files, url, advance)
    return len(files)
