"""Download: a real MovieLens release from GroupLens, verified and unpacked."""

from __future__ import annotations

import errno
import hashlib
import json
import ssl
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import requests

from reelhouse.contract import entities
from reelhouse.errors import ReelhouseError

BASE_URL = "https://files.grouplens.org/datasets/movielens"
LICENCE = "MOVIELENS-LICENCE.txt"
RECORD = "release.json"
README = "README.txt"

CHUNK_BYTES = 1 << 20
# What may be lost when a connection breaks.
RECEIVED_BYTES = 1 << 16
ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 1.0
TIMEOUT_SECONDS = (10.0, 30.0)
# The real ones unpack to less than five times their size.
MAX_EXPANSION = 20
README_BYTES = 1 << 20
CERTIFICATE_EXPIRED = 10

TERMS = """\
{name} is MovieLens data of GroupLens, University of Minnesota. Its terms, in short:
- It may be used for research; any commercial or revenue-bearing use needs the
  permission of GroupLens.
- Passing it on: {passing_on}.
- Do not say or suggest that the University of Minnesota or GroupLens endorses you.
- It comes without any warranty, and they are liable for no damage.
- Publications that use it cite: F. Maxwell Harper and Joseph A. Konstan. 2015. The
  MovieLens Datasets: History and Context. ACM Transactions on Interactive Intelligent
  Systems 5, 4, Article 19. https://doi.org/10.1145/2827872
- Publications that use the tag genome also cite: Jesse Vig, Shilad Sen, and John
  Riedl. 2012. The Tag Genome. ACM Transactions on Interactive Intelligent Systems
  2, 3, Article 13. https://doi.org/10.1145/2362394.2362395
The full terms: {url}/{name}-README.html
"""
SAME_TERMS = "allowed under the same terms"
WITH_PERMISSION = "not without their permission"

Progress = Callable[[str, int, int], None]


class DownloadError(ReelhouseError):
    """The release cannot be had; what stays is under temporary names."""


@dataclass(frozen=True)
class Release:
    """A release: bytes and SHA-256 of its archive, None where it changes."""

    passing_on: str
    size: int | None = None
    sha256: str | None = None


RELEASES = {
    "ml-latest-small": Release(
        SAME_TERMS,
        978_202,
        "696d65a3dfceac7c45750ad32df2c259311949efec81f0f144fdfb91ebc9e436",
    ),
    "ml-20m": Release(
        WITH_PERMISSION,
        198_702_078,
        "96f243c338a8665f6bcc89c53edf6ee39162a846940de6b7c8c48aeada765ff3",
    ),
    "ml-25m": Release(
        WITH_PERMISSION,
        261_978_986,
        "8b21cfb7eb1706b4ec0aac894368d90acf26ebdfb6aced3ebd4ad5bd1eb9c6aa",
    ),
    "ml-32m": Release(
        SAME_TERMS,
        238_950_008,
        "e4a68655d7386b8f95f2f2424b2ff975dfdd15ffd59e0d864a14dca43e99d6ee",
    ),
    "ml-latest": Release(SAME_TERMS),
}


@dataclass(frozen=True)
class DownloadReport:
    """What lies in the folder now; `files` maps names to bytes."""

    name: str
    out: Path
    files: dict[str, int]
    sha256: str
    is_fixed: bool
    is_new: bool


class _BrokenOff(Exception):
    """The answer ended early, or the server is busy: worth another try."""


def download(
    name: str,
    out: Path,
    agree: Callable[[str], bool],
    *,
    base_url: str | None = None,
    progress: Progress = lambda *_: None,
    pause: Callable[[float], None] = time.sleep,
) -> DownloadReport:
    """Fetch release `name` into the folder `out`: its CSV files and its README.

    `agree` is asked once per folder, with the terms; the answer is kept beside the
    data. A download that broke off goes on where it stopped. The files get their
    names when all of them are verified and unpacked. `base_url` is where the
    archives lie (default: GroupLens).

    Raises DownloadError.
    """
    if name not in RELEASES:
        raise DownloadError(
            f"There is no release '{name}': choose one of {', '.join(RELEASES)}."
        )
    release = RELEASES[name]
    url = base_url or BASE_URL
    with _written(out):
        _check_folder(out, name)
        out.mkdir(parents=True, exist_ok=True)
        if done := _finished(out, name):
            return done
        _settle_terms(out, name, release, url, agree)
        archive = out / f"{name}.zip.partial"
        _fetch(f"{url}/{name}.zip", archive, release, progress, pause)
        sha256 = _verify(archive, name, release, progress)
        files = _unpack(archive, out, name, progress)
        record = {"release": name, "sha256": sha256, "files": files}
        _write_whole(out / RECORD, json.dumps(record, indent=2) + "\n")
        archive.unlink()
        _validator_file(archive).unlink(missing_ok=True)
    return DownloadReport(name, out, files, sha256, bool(release.sha256), True)


def csv_names() -> list[str]:
    return [f"{entity.file}.csv" for entity in entities().values()]


def _check_folder(out: Path, name: str) -> None:
    """Raise DownloadError where the folder is not this release's alone."""
    if out.exists() and not out.is_dir():
        raise DownloadError(f"{out} is a file: name a folder to write to.")
    if not out.is_dir():
        return
    ours = {*csv_names(), README, LICENCE, RECORD}
    partial = {f"{each}.partial" for each in (*ours, f"{name}.zip")}
    ours |= partial | {_validator_file(out / f"{name}.zip.partial").name}
    found = {each.name for each in out.iterdir()}
    if foreign := sorted(found - ours):
        raise DownloadError(
            f"{out} holds other files ({', '.join(foreign[:3])}"
            f"{', …' if len(foreign) > 3 else ''}): name an empty folder for the "
            f"release."
        )
    held = _record(out).get("release")
    if held not in (None, name):
        raise DownloadError(f"{out} holds {held}: name another folder for {name}.")
    if found & set(csv_names()) and LICENCE not in found:
        raise DownloadError(
            f"{out} holds MovieLens files from elsewhere: name an empty folder."
        )


def _record(out: Path) -> dict[str, object]:
    try:
        record = json.loads((out / RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _finished(out: Path, name: str) -> DownloadReport | None:
    """The report of an earlier download, if all of its files are still there."""
    record = _record(out)
    files = record.get("files")
    if not isinstance(files, dict):
        return None
    paths = {out / each: size for each, size in files.items()}
    if any(not p.is_file() or p.stat().st_size != size for p, size in paths.items()):
        return None
    is_fixed = bool(RELEASES[name].sha256)
    return DownloadReport(name, out, files, str(record["sha256"]), is_fixed, False)


def _settle_terms(
    out: Path, name: str, release: Release, url: str, agree: Callable[[str], bool]
) -> None:
    kept = out / LICENCE
    terms = TERMS.format(name=name, passing_on=release.passing_on, url=url)
    if kept.exists() and kept.read_text(encoding="utf-8").startswith(terms):
        return
    if not agree(terms):
        raise DownloadError(
            f"{name} was not downloaded, because its terms were not accepted: read "
            f"them, then say yes or use --accept-licence."
        )
    _write_whole(kept, f"{terms}\nAccepted before the download.\n")


def _fetch(
    url: str,
    archive: Path,
    release: Release,
    progress: Progress,
    pause: Callable[[float], None],
) -> None:
    """Bring the archive to its full length; raise DownloadError where that fails."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with _explained(url):
                _receive(url, archive, release, progress)
            return
        except _BrokenOff as broken:
            if attempt == ATTEMPTS:
                raise DownloadError(
                    f"{url} broke off again and again ({broken}): run the command "
                    f"again, it goes on where it stopped."
                ) from broken
        pause(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))


def _receive(url: str, archive: Path, release: Release, progress: Progress) -> None:
    """One request for what is missing of the archive."""
    done = archive.stat().st_size if archive.exists() else 0
    if release.size is not None and done == release.size:
        return
    headers = {"Accept-Encoding": "identity"}
    validator = _validator_file(archive)
    if done and validator.exists():
        # Without If-Range, parts of two different archives might be joined.
        headers["Range"] = f"bytes={done}-"
        headers["If-Range"] = validator.read_text(encoding="utf-8")
    with requests.get(
        url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS
    ) as answer:
        if answer.status_code == 416:
            if answer.headers.get("Content-Range") == f"bytes */{done}":
                return
            archive.unlink(missing_ok=True)
            raise _BrokenOff("the part that was there does not fit")
        if answer.status_code == 429 or answer.status_code >= 500:
            raise _BrokenOff(f"status {answer.status_code}")
        answer.raise_for_status()
        is_rest = answer.status_code == 206 and answer.headers.get(
            "Content-Range", ""
        ).startswith(f"bytes {done}-")
        if answer.status_code == 206 and not is_rest:
            archive.unlink(missing_ok=True)
            raise _BrokenOff("another part was sent than the one asked for")
        done = done if is_rest else 0
        length = answer.headers.get("Content-Length")
        total = done + int(length) if length else None
        if release.size is not None and total not in (None, release.size):
            raise DownloadError(
                f"{url} has {total:,} bytes, not the {release.size:,} of the release: "
                f"it was changed, or something on the way answered in its place."
            )
        if not is_rest:
            _remember_validator(validator, answer)
        with archive.open("ab" if is_rest else "wb", buffering=0) as file:
            for chunk in answer.iter_content(RECEIVED_BYTES):
                _write(file, chunk)
                done += len(chunk)
                progress("download", done, total or release.size or done)
                if release.size is not None and done > release.size:
                    break
    if total is not None and done != total:
        raise _BrokenOff(f"{done:,} of {total:,} bytes came")


def _remember_validator(path: Path, answer: requests.Response) -> None:
    etag = answer.headers.get("ETag", "")
    # A weak tag does not promise the same bytes.
    mark = answer.headers.get("Last-Modified", "") if etag.startswith("W/") else etag
    if mark := mark or answer.headers.get("Last-Modified", ""):
        path.write_text(mark, encoding="utf-8")
    else:
        path.unlink(missing_ok=True)


def _validator_file(archive: Path) -> Path:
    return archive.with_name(f"{archive.name}.version")


def _verify(archive: Path, name: str, release: Release, progress: Progress) -> str:
    """The SHA-256 of the archive; DownloadError unless it is the release's."""
    digest = hashlib.sha256()
    total, done = archive.stat().st_size, 0
    with archive.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            done += len(chunk)
            progress("verify", done, total)
    found = digest.hexdigest()
    if release.sha256 not in (None, found):
        _discard(archive)
        raise DownloadError(
            f"{name}.zip is not the one that was published: its SHA-256 is {found}, "
            f"not {release.sha256}. It was thrown away: run the command again."
        )
    return found


def _discard(archive: Path) -> None:
    archive.unlink(missing_ok=True)
    _validator_file(archive).unlink(missing_ok=True)


def _unpack(archive: Path, out: Path, name: str, progress: Progress) -> dict[str, int]:
    """Unpack the files that are known by name, all or none; their bytes."""
    wanted = {f"{name}/{each}": each for each in [*csv_names(), README]}
    written: list[Path] = []
    try:
        with zipfile.ZipFile(archive) as packed:
            members = [each for each in packed.infolist() if each.filename in wanted]
            _check_members(members, archive, name)
            total, done = sum(each.file_size for each in members), 0
            for member in members:
                path = out / f"{wanted[member.filename]}.partial"
                written.append(path)
                with packed.open(member) as source, path.open("wb", 0) as target:
                    while chunk := source.read(CHUNK_BYTES):
                        _write(target, chunk)
                        done += len(chunk)
                        progress("unpack", done, total)
        (out / RECORD).unlink(missing_ok=True)
        for path in written:
            path.replace(path.with_suffix(""))
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        RuntimeError,
        NotImplementedError,
    ) as error:
        _discard(archive)
        raise DownloadError(
            f"{name}.zip is damaged ({error}) and was thrown away: run the command "
            f"again."
        ) from error
    finally:
        for path in written:
            path.unlink(missing_ok=True)
    return {wanted[each.filename]: each.file_size for each in members}


def _check_members(members: list[zipfile.ZipInfo], archive: Path, name: str) -> None:
    names = [each.filename for each in members]
    needed = {f"{name}/{e.file}.csv" for e in entities().values() if e.is_required}
    limit = archive.stat().st_size * MAX_EXPANSION + README_BYTES
    problem = None
    if missing := sorted(needed - set(names)):
        problem = f"has no {missing[0]}"
    elif len(set(names)) != len(names):
        problem = "holds a file twice"
    elif sum(each.file_size for each in members) > limit:
        problem = f"would unpack to more than {limit:,} bytes"
    if problem:
        _discard(archive)
        raise DownloadError(
            f"{name}.zip {problem}, so it is not a MovieLens release, and was thrown "
            f"away: check the address."
        )


def _write(file: IO[bytes], chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[file.write(rest) :]


def _write_whole(path: Path, text: str) -> None:
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _written(out: Path) -> Iterator[None]:
    """Turn errors of the disk into a sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DownloadError(
                f"There is no room left for {out} ({error.strerror}): make room and "
                f"run the command again, it goes on where it stopped."
            ) from error
        raise DownloadError(
            f"{out} cannot be written ({error.strerror or error}): check its "
            f"permissions or name another folder."
        ) from error


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Turn errors of the network into a sentence, or into a reason to try again."""
    host = urlsplit(url).hostname
    try:
        yield
    except requests.exceptions.SSLError as error:
        if _is_expired(error):
            raise DownloadError(
                f"The certificate of {host} has expired, so it cannot be told from an "
                f"impostor: check this machine's clock; if that is right, only the "
                f"owners of {host} can renew it, so try again in a day or two."
            ) from error
        raise DownloadError(
            f"{host} showed a certificate that cannot be trusted: if a proxy of yours "
            f"stands between, set REQUESTS_CA_BUNDLE to the file of its authority."
        ) from error
    except requests.exceptions.HTTPError as error:
        raise DownloadError(
            f"{url} cannot be read ({error}): check whether the release is still "
            f"offered."
        ) from error
    except (
        requests.exceptions.ChunkedEncodingError,
        requests.exceptions.ReadTimeout,
    ) as error:
        raise _BrokenOff("the connection was lost") from error
    except (
        requests.exceptions.ConnectionError,
        requests.exceptions.Timeout,
    ) as error:
        if "Read timed out" in str(error) or "aborted" in str(error):
            raise _BrokenOff("the connection was lost") from error
        raise DownloadError(
            f"{host} cannot be reached: check the network (and HTTPS_PROXY, if you "
            f"need a proxy), then run the command again."
        ) from error
    except requests.exceptions.RequestException as error:
        raise DownloadError(
            f"{url} cannot be read ({error}): run the command again, or look at the "
            f"address in a browser."
        ) from error


def _is_expired(error: BaseException | None) -> bool:
    """Whether somewhere behind an error a certificate is out of date."""
    seen: set[int] = set()
    todo: list[object] = [error]
    while todo:
        each = todo.pop()
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, ssl.SSLCertVerificationError):
            return each.verify_code == CERTIFICATE_EXPIRED
        todo += [each.__cause__, each.__context__, *each.args]
        todo.append(getattr(each, "reason", None))
    return False
