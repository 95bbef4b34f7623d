"""Commands that get data and put it into a bucket."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from reelhouse.cli import show
from reelhouse.cli.command import command, out_option
from reelhouse.settings import read_settings


@click.command()
@click.option("--ratings", type=int, required=True, help="Number of ratings.")
@click.option("--seed", type=int, default=1, show_default=True, help="0 to 2**64 - 1.")
@out_option("New or empty folder to write the six files to.")
@click.option("--dirty", is_flag=True, help="Add known errors and a list of them.")
@click.option(
    "--later",
    is_flag=True,
    help="Put the last half year into a later delivery, with corrections.",
)
@command
def generate(ratings: int, seed: int, out: Path, dirty: bool, later: bool) -> None:
    """Write MovieLens-shaped files of any size.

    The same arguments give the same bytes.
    """
    from reelhouse.movielens.generate import generate as generate_files

    with show.steps() as progress:
        report = generate_files(
            out, ratings, seed, dirty=dirty, later=later, progress=progress
        )
    grid = show.grid(("file", "records"))
    for name, records in report.records.items():
        grid.add_row(name, f"{records:,}")
    show.out.print(grid)
    if report.manifest:
        show.out.print(
            f"{show.count(report.planted, 'fault')} planted: "
            f"{show.place(report.manifest)}",
            soft_wrap=True,
        )
    show.out.print(f"\nreelhouse run --source {show.argument(report.out)}")


@click.command()
@click.argument("release")
@out_option("Folder to write the files to.")
@click.option(
    "--accept-licence",
    is_flag=True,
    help="Accept the terms of the data without being asked.",
)
@command
def download(release: str, out: Path, accept_licence: bool) -> None:
    """Fetch a real RELEASE of MovieLens from GroupLens, verified.

    RELEASE is ml-latest-small, ml-20m, ml-25m, ml-32m or ml-latest.
    """
    from reelhouse.movielens.download import download as fetch

    def agree(terms: str) -> bool:
        # On stderr: a person sees them, and a pipe does not get them.
        show.err.print(show.safe(terms, may_break=True), soft_wrap=True)
        if accept_licence or not (sys.stdin and sys.stdin.isatty()):
            return accept_licence
        return click.confirm("Do you accept these terms?", err=True)

    with show.steps() as progress:
        report = fetch(release, out, agree, progress=progress)
    grid = show.grid(("file", "bytes"))
    for name, size in report.files.items():
        grid.add_row(name, f"{size:,}")
    show.out.print(grid)
    if not report.is_new:
        show.out.print("Nothing was downloaded: all files already exist.")
    elif report.is_fixed:
        show.out.print("Verified: the archive has the published SHA-256.")
    else:
        show.out.print(
            f"Verified: length and CRC-32 of each file. {report.name} changes, so no "
            f"checksum is published for it; this one's SHA-256 is {report.sha256}.",
            soft_wrap=True,
        )
    show.out.print(f"\nreelhouse run --source {show.argument(report.out)}")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("url")
@command
def upload(folder: Path, url: str) -> None:
    """Upload the MovieLens files of FOLDER to URL, an S3 address.

    The standard AWS variables name the S3 endpoint and the credentials.
    """
    from reelhouse.ingest.source import list_folder, real_bucket, upload_folder

    settings = read_settings(target="dev")
    listing = list_folder(folder)
    with show.steps() as progress:
        count = upload_folder(real_bucket(settings), folder, listing, url, progress)
    show.out.print(f"{show.count(count, 'file')} uploaded to {show.safe(url)}.")
    if listing.ignored:
        show.note(f"Other files in the folder, ignored: {len(listing.ignored):,}.")
    for hint in listing.hints:
        show.note(hint)
