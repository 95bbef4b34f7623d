"""Downloads from a local server are verified and never leave a half-filled folder."""

from __future__ import annotations

import hashlib
import io
import resource
import ssl
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.delivery import MOVIES, csv

from reelhouse.cli import main
from reelhouse.movielens import download as module
from reelhouse.movielens.download import (
    LICENCE,
    RECORD,
    RELEASES,
    UNFINISHED,
    DownloadError,
    DownloadReport,
    download,
)

NAME = "ml-latest-small"
RATINGS = [f"{user},1,4.0,{964982703 + user * 7919}" for user in range(1, 60_000)]
FILES = {
    "ratings.csv": csv("ratings", RATINGS),
    "movies.csv": csv("movies", MOVIES),
    "README.txt": b"All about it.\n",
}


def packed(files: dict[str, bytes], folder: str = f"{NAME}/") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(folder + name, content)
    return buffer.getvalue()


@dataclass
class Shelf:
    """What the server offers, how it misbehaves, and which requests it received."""

    body: bytes = b""
    statuses: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, shelf: Shelf, *args: object) -> None:
        self.shelf = shelf
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        shelf = self.shelf
        shelf.asked.append(self.path)
        status = shelf.statuses.pop(0) if shelf.statuses else 200
        body = shelf.body if status == 200 else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: shelf.cuts.pop(0) if shelf.cuts else None])

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(shelf: Shelf, context: ssl.SSLContext | None = None) -> Iterator[Shelf]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, shelf))
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    scheme = "https" if context else "http"
    shelf.url = f"{scheme}://127.0.0.1:{server.server_port}"
    try:
        yield shelf
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    with serving(Shelf()) as shelf:
        offer(shelf, monkeypatch, packed(FILES))
        yield shelf


def offer(shelf: Shelf, monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    """Serve an archive as if it were the published one."""
    shelf.body = body
    sha256 = hashlib.sha256(body).hexdigest()
    monkeypatch.setitem(RELEASES[NAME], "sha256", sha256)


Agree = Callable[[str], bool]


def fetch(
    shelf: Shelf, out: Path, name: str = NAME, agree: Agree = lambda _: True
) -> DownloadReport:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BASE_URL", shelf.url)
        patch.setattr("time.sleep", lambda _: None)
        return download(name, out, agree)


def content(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir()}


def assert_complete(out: Path) -> None:
    found = content(out)
    assert {name: found.get(name) for name in FILES} == FILES
    assert found.keys() - FILES.keys() == {LICENCE, RECORD}


def test_a_release_is_unpacked_with_its_terms_beside_it(
    shelf: Shelf, tmp_path: Path
) -> None:
    asked: list[str] = []
    out = tmp_path / "new" / "folder"

    def agree(terms: str) -> bool:
        asked.append(terms)
        return True

    report = fetch(shelf, out, agree=agree)
    assert report.is_new
    assert report.is_fixed
    assert report.files == {name: len(body) for name, body in FILES.items()}
    assert_complete(out)
    (terms,) = asked
    assert "10.1145/2827872" in terms
    assert "10.1145/2362394.2362395" in terms
    assert "commercial" in terms
    assert (out / LICENCE).read_text(encoding="utf-8").startswith(terms)


def test_a_second_download_asks_nothing_of_anybody(
    shelf: Shelf, tmp_path: Path
) -> None:
    fetch(shelf, tmp_path)
    shelf.asked.clear()
    assert not fetch(shelf, tmp_path, agree=lambda _: False).is_new
    assert shelf.asked == []
    (tmp_path / "ratings.csv").unlink()
    assert fetch(shelf, tmp_path, agree=lambda _: False).is_new
    assert_complete(tmp_path)


def test_what_broke_off_is_fetched_again(shelf: Shelf, tmp_path: Path) -> None:
    shelf.cuts = [100_000, 150_000]
    fetch(shelf, tmp_path)
    assert len(shelf.asked) == 3
    assert_complete(tmp_path)


def test_what_breaks_off_again_and_again_leaves_nothing(
    shelf: Shelf, tmp_path: Path
) -> None:
    shelf.cuts = [100_000, 0, 0]
    with pytest.raises(DownloadError, match="connection was lost"):
        fetch(shelf, tmp_path)
    assert content(tmp_path).keys() == {LICENCE}
    fetch(shelf, tmp_path, agree=lambda _: False)
    assert_complete(tmp_path)


@pytest.mark.fault("1")
def test_what_a_killed_download_left_is_thrown_away(
    shelf: Shelf, tmp_path: Path
) -> None:
    shelf.cuts = [0, 0, 0]
    with pytest.raises(DownloadError):
        fetch(shelf, tmp_path)
    (tmp_path / UNFINISHED).mkdir()
    (tmp_path / UNFINISHED / f"{NAME}.zip").write_bytes(shelf.body[:1000])
    (tmp_path / "ratings.csv").write_bytes(FILES["ratings.csv"][:1000])
    fetch(shelf, tmp_path, agree=lambda _: False)
    assert_complete(tmp_path)


def test_a_busy_server_is_asked_again(shelf: Shelf, tmp_path: Path) -> None:
    shelf.statuses = [503, 429]
    fetch(shelf, tmp_path)
    assert_complete(tmp_path)


def test_of_a_release_that_changes_the_archive_itself_is_checked(
    shelf: Shelf, tmp_path: Path
) -> None:
    shelf.body = packed(FILES, "ml-latest/")
    report = fetch(shelf, tmp_path, "ml-latest")
    assert not report.is_fixed
    assert report.sha256 == hashlib.sha256(shelf.body).hexdigest()
    assert_complete(tmp_path)


def test_another_checksum_is_no_release(shelf: Shelf, tmp_path: Path) -> None:
    right = shelf.body
    shelf.body = right[:200] + bytes([right[200] ^ 1]) + right[201:]
    with pytest.raises(DownloadError, match="differs from the published file"):
        fetch(shelf, tmp_path)
    assert content(tmp_path).keys() == {LICENCE}
    shelf.body = right
    fetch(shelf, tmp_path)
    assert_complete(tmp_path)


ODD_ARCHIVES = {
    "no archive": (b"<html>Log in to this network</html>", "damaged"),
    "a cut archive": (packed(FILES, "ml-latest/")[:-100], "damaged"),
    "no ratings": (
        packed({"movies.csv": b"x"}, "ml-latest/"),
        "ml-latest/ratings.csv is missing",
    ),
    "another folder": (packed(FILES, "other/"), "ml-latest/movies.csv is missing"),
    "a bomb": (
        packed({**FILES, "tags.csv": bytes(50_000_000)}, "ml-latest/"),
        "not a MovieLens release .it would unpack to .* bytes",
    ),
}


@pytest.mark.parametrize(
    ("body", "words"), ODD_ARCHIVES.values(), ids=ODD_ARCHIVES.keys()
)
def test_an_odd_archive_leaves_nothing(
    shelf: Shelf, tmp_path: Path, body: bytes, words: str
) -> None:
    shelf.body = body
    with pytest.raises(DownloadError, match=words):
        fetch(shelf, tmp_path, "ml-latest")
    assert content(tmp_path).keys() == {LICENCE}


def test_a_wrong_crc_leaves_nothing(shelf: Shelf, tmp_path: Path) -> None:
    body = bytearray(packed(FILES, "ml-latest/"))
    body[2000] ^= 1
    shelf.body = bytes(body)
    with pytest.raises(DownloadError, match="damaged"):
        fetch(shelf, tmp_path, "ml-latest")
    assert content(tmp_path).keys() == {LICENCE}


def test_no_path_of_an_archive_is_trusted(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["../../evil.txt", "sub/ratings.csv", "notes.txt", "../ratings.csv"]
    evil = dict.fromkeys([*names, f"{tmp_path}/evil.txt"], b"evil")
    offer(shelf, monkeypatch, packed({**evil, **FILES}))
    out = tmp_path / "a" / "b"
    fetch(shelf, out)
    assert_complete(out)
    assert not list(tmp_path.rglob("evil*"))
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


def test_a_name_that_is_no_release_is_answered_with_the_names(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"There is no release.*ml-20m, ml-25m"):
        fetch(Shelf(), tmp_path, "ml-1m")


def test_the_published_releases_are_pinned() -> None:
    assert {name for name, each in RELEASES.items() if not each["sha256"]} == {
        "ml-latest"
    }


def test_a_folder_with_other_files_is_left_alone(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(
        DownloadError, match=r"such as thesis.txt.*folder for the release"
    ):
        fetch(shelf, tmp_path)
    assert content(tmp_path) == {"thesis.txt": b"mine"}
    with pytest.raises(FileExistsError, match="thesis"):
        fetch(shelf, tmp_path / "thesis.txt")


def test_files_of_another_origin_are_left_alone(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("mine")
    with pytest.raises(DownloadError, match="such as ratings"):
        fetch(shelf, tmp_path)
    assert content(tmp_path) == {"ratings.csv": b"mine"}


def test_a_folder_holds_one_release(shelf: Shelf, tmp_path: Path) -> None:
    fetch(shelf, tmp_path)
    with pytest.raises(DownloadError, match=f"holds {NAME}.*: name another folder for"):
        fetch(shelf, tmp_path, "ml-latest")
    assert_complete(tmp_path)


def test_without_consent_nothing_is_asked_for(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="--accept-licence"):
        fetch(shelf, tmp_path, agree=lambda _: False)
    assert shelf.asked == []
    assert content(tmp_path) == {}


def test_a_release_that_is_gone_is_named(shelf: Shelf, tmp_path: Path) -> None:
    shelf.statuses = [404] * 3
    with pytest.raises(DownloadError, match=r"ml-latest-small\.zip.*404"):
        fetch(shelf, tmp_path)


def test_without_a_network_it_says_so(shelf: Shelf, tmp_path: Path) -> None:
    shelf.url = "http://127.0.0.1:1"
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1.*HTTPS_PROXY, if you"):
        fetch(shelf, tmp_path)


def test_a_folder_that_cannot_be_made_is_named(shelf: Shelf) -> None:
    with pytest.raises(NotADirectoryError, match="/dev/null/movies"):
        fetch(shelf, Path("/dev/null/movies"))


@pytest.mark.fault("2")
@pytest.mark.parametrize("share", [0.5, 1.5], ids=["archive", "unpacked file"])
def test_a_full_disk_leaves_nothing_half(
    shelf: Shelf, tmp_path: Path, share: float
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(len(shelf.body) * share), before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            fetch(shelf, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert content(tmp_path).keys() == {LICENCE}
    fetch(shelf, tmp_path)
    assert_complete(tmp_path)


def certified(folder: Path, age: timedelta) -> ssl.SSLContext:
    """Return a server context with a self-signed certificate that ends after `age`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + age)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain = folder / "certificate.pem"
    chain.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context


@pytest.mark.parametrize(
    ("days", "is_trusted", "words"),
    [
        (-1, True, r"certificate of 127\.0\.0\.1 has expired"),
        (30, False, "cannot be trusted"),
        (30, True, None),
    ],
    ids=["expired", "unknown", "good"],
)
def test_a_certificate_is_checked(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    days: int,
    is_trusted: bool,
    words: str | None,
) -> None:
    context = certified(tmp_path, timedelta(days=days))
    if is_trusted:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "certificate.pem"))
    out = tmp_path / "out"
    with serving(Shelf(), context) as shelf:
        offer(shelf, monkeypatch, packed(FILES))
        if words is None:
            fetch(shelf, out)
            assert_complete(out)
            return
        with pytest.raises(DownloadError, match=words):
            fetch(shelf, out)
    assert content(out).keys() == {LICENCE}


def test_the_command_shows_the_terms_and_takes_the_flag(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BASE_URL", shelf.url)
    asked = CliRunner().invoke(main, ["download", NAME, "--out", str(tmp_path)])
    assert asked.exit_code == 1
    assert "Harper" in asked.stderr
    assert "--accept-licence" in asked.stderr
    done = CliRunner().invoke(
        main, ["download", NAME, "--out", str(tmp_path), "--accept-licence"]
    )
    assert done.exit_code == 0, done.stderr
    assert "archive has the published SHA-256" in done.stdout
    assert_complete(tmp_path)
