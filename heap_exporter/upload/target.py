"""A place that files are uploaded to: any store that obstore speaks to, with its errors in words.

A file gets its name there once it is whole. What was sent is read back, which proves with every store what an ETag
proves with few; its SHA-256 is kept beside it, in the form of sha256sum(1).
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from heap_exporter.errors import HeapExporterError
from heap_exporter.runtime.redaction import without_secrets
from heap_exporter.upload.parts import CannotSign, Parts, PartsFailed, Unfinished

if TYPE_CHECKING:
    from obstore.store import ObjectStore, S3Store

EXTRA = "heap-exporter[s3]"
CHECKSUM_SUFFIX = ".sha256"
CHUNK_BYTES = 8 * 1024 * 1024
SENT_AT_ONCE_BYTES = 16 * 1024 * 1024
"""Up to this size a file is sent in one request: to begin anew costs little."""

PATIENCE_SECONDS = 180.0
"""How long one request is tried again, with back-off, before the upload is put off."""

STORES = {"s3", "gcs", "azure", "local"}
SCHEMES = {"s3", "s3a", "gs", "az", "adl", "azure", "abfs", "abfss", "file", "https"}
"""What the address of a store begins with; of https:// the library tells which are."""

Progress = Callable[[int], None]
"""It is called with the bytes that are done, of those of the file."""


class UploadError(HeapExporterError):
    """A file could not be uploaded; ``str(error)`` says why and what to do, and holds no secret."""


class Target:
    """The folder ``url`` of a store; retries take at most ``patience_seconds`` a request.

    Raises :class:`UploadError` where the library is missing, or the address is none.
    """

    def __init__(self, url: str, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.url = without_secrets(url)
        self._patience_seconds = patience_seconds
        if not _may_be_store(url):
            raise UploadError(self._no_place())
        try:
            import obstore
        except ImportError as error:
            raise UploadError(missing_extra(str(error))) from None
        try:
            self._kind = obstore.parse_scheme(url)
        except (obstore.exceptions.BaseError, ValueError):
            self._kind = "http"
        if self._kind not in STORES:
            raise UploadError(self._no_place())
        with self._in_words():
            self._store = self._open(url)
        self._folder = Path(unquote(urlsplit(url).path)) if self._kind == "local" else None

    def _no_place(self) -> str:
        return (
            f"{self.url!r} is no place to upload to; it must be s3://bucket/folder, gs://bucket/folder, "
            f"az://container/folder or file:///folder"
        )

    def refuse_itself(self, path: Path) -> None:
        """Raise :class:`UploadError` if the file is the one that it would become here, and verify it against itself."""
        if self._folder is not None:
            with suppress(OSError):
                if (self._folder / path.name).samefile(path):
                    raise UploadError(f"{self.url} is where {path.name} is already; name another folder")

    def size(self, name: str) -> int | None:
        """Return the bytes of a file there, ``None`` if there is none, or if that may not be asked."""
        import obstore

        with self._in_words(), suppress(FileNotFoundError, obstore.exceptions.PermissionDeniedError):
            return obstore.head(self._store, name)["size"]
        return None

    def sha256(self, name: str, told: Progress) -> str:
        """Read a file back, and return the digest in hex. Raises :class:`UploadError`."""
        import obstore

        digest, done = hashlib.sha256(), 0
        with self._in_words():
            for chunk in obstore.get(self._store, name).stream(min_chunk_size=CHUNK_BYTES):
                digest.update(chunk)
                told(done := done + len(chunk))
        return digest.hexdigest()

    def send(
        self, path: Path, unfinished: Unfinished | None, keep: Callable[[Unfinished | None], None], told: Progress
    ) -> None:
        """Send a file, which keeps its name. Raises :class:`UploadError`.

        Where the store can take parts that outlive us, ``keep`` is called with what it takes to go on later, or with
        ``None`` when that is worth nothing any more; given it as ``unfinished``, what the store has is not sent again.
        """
        if self._kind == "s3" and path.stat().st_size > SENT_AT_ONCE_BYTES:
            with suppress(CannotSign):
                with self._in_words():
                    sign = functools.partial(self._sign, path.name)
                    Parts(sign, self._patience_seconds).send(path, unfinished, keep, told)
                return
        self._put(path, told)

    def keep_checksum(self, name: str, sha256: str) -> None:
        """Write the digest of a file beside it: the sign that the file is whole. Raises :class:`UploadError`."""
        import obstore

        with self._in_words():
            obstore.put(self._store, name + CHECKSUM_SUFFIX, f"{sha256}  {name}\n".encode())

    def _put(self, path: Path, told: Progress) -> None:
        import obstore

        size = path.stat().st_size
        with self._in_words():
            obstore.put(
                self._store,
                path.name,
                path,
                use_multipart=size > SENT_AT_ONCE_BYTES,
                chunk_size=max(CHUNK_BYTES, size // 5000),  # some stores take 10,000 parts
                max_concurrency=2,
            )
        told(size)

    def _open(self, url: str) -> ObjectStore:
        from obstore.store import LocalStore, from_url

        if self._kind == "local":
            return LocalStore.from_url(url, mkdir=True)
        retries = {"max_retries": 1000, "retry_timeout": timedelta(seconds=self._patience_seconds)}
        return from_url(url, retry_config=retries)  # type: ignore[call-overload, no-any-return]  # a plain dict will do

    def _sign(self, name: str, method: str, query: dict[str, str]) -> str:
        """Return the address of a request on a file, with ``query``, signed with the credentials of the store."""
        from heap_exporter.upload.parts import sign

        store: S3Store = self._store  # type: ignore[assignment]  # asked for s3 alone
        return sign(store, name, method, query)

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """Make an error of the store an :class:`UploadError`."""
        from obstore.exceptions import BaseError

        try:
            yield
        except PartsFailed as error:
            raise UploadError(in_words(self.url, str(error))) from None
        except (BaseError, OSError, ValueError) as error:
            raise UploadError(in_words(self.url, str(error))) from None


def _may_be_store(url: str) -> bool:
    try:
        return urlsplit(url).scheme in SCHEMES
    except ValueError:
        return False


def missing_extra(problem: str) -> str:
    """Return what to do where the library cannot be used."""
    return f"the library for it cannot be used ({problem}); pip install {EXTRA!r}"


def in_words(url: str, said: str) -> str:
    """Return what is wrong and what to do, of what a store or the library ``said``. No secret of it is told."""
    code = re.search(r"<Code>(\w{1,64})</Code>", said)
    status = re.search(r"status code: (\d{3})", said)
    shown = code[1] if code else status[1] if status else ""
    for mark, words in _WORDS.items():
        if re.search(mark, said):
            return f"{url}: {words}" + (f" ({shown})" if shown else "")
    first = said.partition("\n")[0].partition("<?xml")[0].partition("?")[0]
    return f"{url}: {first[:200].rstrip(' :')}" + (f" ({code[1]})" if code else "")


_WORDS = {
    r"169\.254\.|metadata\.google|/metadata/identity": "there are no credentials; set AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY (GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_ACCOUNT_KEY) or give the machine a role",
    "Account must be specified": "set AZURE_STORAGE_ACCOUNT_NAME",
    "NoSuchBucket|ContainerNotFound|bucket does not exist": "there is no such bucket; create it, or mend the address",
    "SignatureDoesNotMatch|InvalidAccessKeyId|InvalidToken|ExpiredToken": "the store does not accept the credentials; "
    "mend AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "AuthenticationFailed|status code: 401": "the store does not accept the credentials",
    "RequestTimeTooSkewed": "the clock of this machine is wrong; set it",
    "PermanentRedirect|AuthorizationHeaderMalformed|without LOCATION": "the bucket is elsewhere; set AWS_REGION",
    "AccessDenied|status code: 403": "the credentials do not allow it; docs/upload.md lists the rights that it takes",
    "BadScheme": "the address of the store is http://; set AWS_ALLOW_HTTP=true to allow that",
    "certificate|UnknownIssuer": "its certificate is not trusted; set SSL_CERT_FILE to one that is",
    "dns error|Name or service not known": "the name of its host is not known; mend AWS_ENDPOINT_URL or the address",
    "Connect|timed out|error sending request|refused|reset|Remote end closed": "the store cannot be reached",
    "No space left": "the disk there is full",
    "Read-only|Permission denied|No such file|Unable to c": "the folder cannot be written to; mend it or the address",
    r"InternalError|status code: 5\d\d": "the store itself has failed; look into its log",
}
"""Marks of an error, the most telling first → what is wrong, and what to do."""
