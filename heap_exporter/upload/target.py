"""The target of an upload: a folder in any store that obstore supports.

A file appears in the store only once it is complete. Each file is read back after the upload and its SHA-256 compared:
an ETag would be cheaper, but proves the content with few stores only. The digest is written next to the object in the
format of sha256sum(1).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from heap_exporter.errors import HeapExporterError, MissingExtra
from heap_exporter.runtime.redaction import without_secrets

if TYPE_CHECKING:
    from obstore.store import ObjectStore

CHECKSUM_SUFFIX = ".sha256"

CHUNK_BYTES = 8 * 1024 * 1024
"""How much of a file is read at once, and the size of a part."""

MAX_PARTS = 5000
"""Parts of one object; some stores accept at most 10,000."""

CONCURRENT_PARTS = 2
"""Parts that are sent at the same time: they bound the memory of an upload."""

RETRY_SECONDS = 180.0
"""How long one request is retried, with back-off, before the upload is postponed."""

STORES = {"s3", "gcs", "azure", "local"}
SCHEMES = {"s3", "s3a", "gs", "az", "adl", "azure", "abfs", "abfss", "file", "https"}
"""Schemes of store addresses; obstore decides which https:// addresses belong to a store."""

OnBytes = Callable[[int], None]
"""Is called with the number of bytes of the file that are done."""


class UploadError(HeapExporterError):
    """A file could not be uploaded; ``str(error)`` has the cause and what to do, and no secret."""


class UploadTarget:
    """The folder ``url`` of an object store; a request is retried for ``retry_seconds``.

    Raises :class:`UploadError` if obstore is not installed, or if ``url`` is not the address of a store.
    """

    def __init__(self, url: str, retry_seconds: float = RETRY_SECONDS) -> None:
        self.url = without_secrets(url)
        self._retry_seconds = retry_seconds
        if not _may_be_store(url):
            raise UploadError(self._bad_address())
        try:
            import obstore
        except ImportError as error:
            raise UploadError(missing_extra(str(error))) from None
        try:
            self._store_name = obstore.parse_scheme(url)
        except (obstore.exceptions.BaseError, ValueError):
            self._store_name = "http"
        if self._store_name not in STORES:
            raise UploadError(self._bad_address())
        with self._store_errors():
            self._store = self._open(url)
        self._folder = Path(unquote(urlsplit(url).path)) if self._store_name == "local" else None

    def _bad_address(self) -> str:
        return (
            f"cannot upload to {self.url!r}: the address must be s3://bucket/folder, gs://bucket/folder, "
            f"az://container/folder or file:///folder"
        )

    def refuse_own_folder(self, path: Path) -> None:
        """Raise :class:`UploadError` if the upload target is the folder that contains ``path``."""
        if self._folder is not None:
            with suppress(OSError):
                if (self._folder / path.name).samefile(path):
                    raise UploadError(f"{self.url} is the folder that contains {path.name}; upload to another folder")

    def size_bytes(self, name: str) -> int | None:
        """Return the size of an object in the store, ``None`` if there is none or access is denied."""
        import obstore

        with self._store_errors(), suppress(FileNotFoundError, obstore.exceptions.PermissionDeniedError):
            return obstore.head(self._store, name)["size"]
        return None

    def sha256(self, name: str, size_bytes: int, on_bytes: OnBytes) -> str:
        """Read an object back from the store and return its digest in hex. Raises :class:`UploadError`.

        An object that is larger than ``size_bytes`` is read only a little further, so its digest differs.
        """
        import obstore

        digest, done = hashlib.sha256(), 0
        with self._store_errors():
            for chunk in obstore.get(self._store, name).stream(min_chunk_size=CHUNK_BYTES):
                digest.update(chunk)
                on_bytes(done := done + len(chunk))
                if done > size_bytes:
                    break
        return digest.hexdigest()

    def send(self, path: Path, on_bytes: OnBytes) -> None:
        """Upload a file under its own name, a large one in parts. Raises :class:`UploadError`, and ``OSError``.

        An upload that breaks off leaves no object, and is sent from the start the next time.
        """
        import obstore

        size = path.stat().st_size
        with path.open("rb") as file, self._store_errors():
            obstore.put(
                self._store,
                path.name,
                _chunks(file.read, on_bytes),
                use_multipart=size > CHUNK_BYTES,
                chunk_size=max(CHUNK_BYTES, size // MAX_PARTS),
                max_concurrency=CONCURRENT_PARTS,
            )

    def write_checksum(self, name: str, sha256: str) -> None:
        """Write the digest of an object next to it, which marks it as verified. Raises :class:`UploadError`."""
        import obstore

        with self._store_errors():
            obstore.put(self._store, name + CHECKSUM_SUFFIX, f"{sha256}  {name}\n".encode())

    def _open(self, url: str) -> ObjectStore:
        from obstore.store import LocalStore, from_url

        if self._store_name == "local":
            return LocalStore.from_url(url, mkdir=True)
        retries = {"max_retries": 1000, "retry_timeout": timedelta(seconds=self._retry_seconds)}
        return from_url(url, retry_config=retries)  # type: ignore[call-overload, no-any-return]  # a plain dict will do

    @contextmanager
    def _store_errors(self) -> Iterator[None]:
        """Raise an error of the object store as :class:`UploadError`."""
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            raise UploadError(described(self.url, str(error))) from None


def _chunks(read: Callable[[int], bytes], on_bytes: OnBytes) -> Iterator[bytes]:
    done = 0
    while chunk := read(CHUNK_BYTES):
        yield chunk
        on_bytes(done := done + len(chunk))


def _may_be_store(url: str) -> bool:
    try:
        return urlsplit(url).scheme in SCHEMES
    except ValueError:
        return False


def missing_extra(problem: str) -> str:
    """Return what to install for uploads where obstore cannot be imported."""
    return str(MissingExtra(f"uploads need obstore ({problem})", "s3"))


def described(url: str, error_text: str) -> str:
    """Return why an upload failed and what to do, without the secrets that an error of the store may contain."""
    code = re.search(r"<Code>(\w{1,64})</Code>", error_text)
    status = re.search(r"status code: (\d{3})", error_text)
    shown = code[1] if code else status[1] if status else ""
    for pattern, words in _CAUSES.items():
        if re.search(pattern, error_text):
            return f"{url}: {words}" + (f" ({shown})" if shown else "")
    first = error_text.partition("\n")[0].partition("<?xml")[0].partition("?")[0]
    return f"{url}: {first[:200].rstrip(' :')}" + (f" ({code[1]})" if code else "")


_CAUSES = {
    r"169\.254\.|metadata\.google|/metadata/identity": "no credentials for the store were found; set "
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (on Google Cloud: GOOGLE_APPLICATION_CREDENTIALS, on Azure: "
    "AZURE_STORAGE_ACCOUNT_KEY), or give the machine a role that may write to the store",
    "Account must be specified": "set AZURE_STORAGE_ACCOUNT_NAME",
    "NoSuchBucket|ContainerNotFound|bucket does not exist": "the bucket does not exist; create it, or correct the "
    "address",
    "SignatureDoesNotMatch|InvalidAccessKeyId|InvalidToken|ExpiredToken": "the store does not accept the credentials; "
    "correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "AuthenticationFailed|status code: 401": "the store does not accept the credentials; correct them",
    "RequestTimeTooSkewed": "the clock of this machine differs from the clock of the store; correct it",
    "PermanentRedirect|AuthorizationHeaderMalformed|without LOCATION": "the bucket is in another region; set "
    "AWS_REGION",
    "AccessDenied|status code: 403": "the credentials do not allow the upload; docs/upload.md lists the permissions",
    "BadScheme": "the address of the store is not encrypted (http://); set AWS_ALLOW_HTTP=true to allow it",
    "certificate|UnknownIssuer": "the certificate of the store is not trusted; set SSL_CERT_FILE to the "
    "file of its certificate authority",
    "dns error|Name or service not known": "the host name of the store cannot be resolved; correct AWS_ENDPOINT_URL or "
    "the address",
    "Connect|timed out|error sending request|refused|reset|closed": "the store cannot be reached; check "
    "its address and the network",
    "No space left": "the disk of the upload folder is full; free some space on it",
    "Read-only|Permission denied|No such file|Unable to c": "the upload folder is not writable; correct its "
    "permissions or the address",
    r"InternalError|status code: 5\d\d": "the store had an internal error; see the log of the store",
}
"""Patterns in the text of an error, the most specific first → the cause, and what to do."""
