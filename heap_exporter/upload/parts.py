"""Sending a large file to S3 in parts that outlive us: what a server has taken is not sent again.

obstore, as other libraries, sends in parts too, but forgets about them when it ends. Its addresses that are signed
beforehand let us do the four requests ourselves, with whatever credentials it finds: keys, roles, tokens.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import math
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from obstore.store import S3Store

PART_BYTES = 16 * 1024 * 1024
MAX_PARTS = 10_000
MIN_BACKOFF_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 15.0
TIMEOUT_SECONDS = 60.0
SIGNED_FOR = timedelta(hours=1)

_TRANSIENT = {408, 429, 500, 502, 503, 504}
_UNKNOWN_UPLOAD = "NoSuchUpload"
_LOST_PART = "InvalidPart"

_SPECIAL = ("AWS_SERVER_SIDE_ENCRYPTION", "AWS_SKIP_SIGNATURE", "AWS_REQUEST_PAYER", "AWS_S3_EXPRESS")
"""What needs headers that are signed too, which an address that is signed beforehand cannot have."""

Sign = Callable[[str, dict[str, str]], str]
"""It returns the signed address of a request of a method with a query."""


class CannotSign(Exception):
    """Requests on parts cannot be signed here: the file must be sent by other means."""


class PartsFailed(Exception):
    """The store did not answer in time, or said no: ``str(error)`` is what it said."""


class Refused(PartsFailed):
    """The store said no, and would again."""


class Unfinished(NamedTuple):
    """What it takes to go on with an upload; ``bytes`` and ``changed_ns`` tell whether it still is of this file."""

    upload_id: str
    part_bytes: int
    bytes: int
    changed_ns: int


class Parts:
    """Sends a file in parts, by requests that ``sign`` signs; each is tried again for ``patience_seconds``."""

    def __init__(self, sign: Sign, patience_seconds: float) -> None:
        self._sign = sign
        self._patience_seconds = patience_seconds

    def send(
        self,
        path: Path,
        unfinished: Unfinished | None,
        keep: Callable[[Unfinished | None], None],
        told: Callable[[int], None],
    ) -> None:
        """Send a file, or what the server lacks of it. Raises :class:`PartsFailed`, :class:`CannotSign`, ``OSError``.

        ``keep`` is called with what :meth:`send` wants as ``unfinished`` when it is to go on, ``None`` if it cannot.
        """
        status = path.stat()
        tags = None
        if unfinished is not None and unfinished[2:] == (status.st_size, status.st_mtime_ns):
            tags = self._kept(unfinished)
        if unfinished is None or tags is None:
            part_bytes = max(PART_BYTES, math.ceil(status.st_size / MAX_PARTS))
            unfinished = Unfinished(self._begin(), part_bytes, status.st_size, status.st_mtime_ns)
            keep(unfinished)
            tags = {}
        with path.open("rb", buffering=0) as file:
            for number, (offset, size) in enumerate(_parts(unfinished), start=1):
                if number not in tags:
                    tags[number] = self._put(unfinished, number, os.pread(file.fileno(), size, offset))
                told(offset + size)
        try:
            self._complete(unfinished, tags)
        except Refused as error:
            if _LOST_PART in str(error):
                keep(None)
            raise

    def _begin(self) -> str:
        return _text(self._ask("POST", {"uploads": ""})[0], "UploadId")

    def _kept(self, unfinished: Unfinished) -> dict[int, str] | None:
        """Return the tags of the whole parts that the server has, by number; ``None`` if it knows of no such upload."""
        sizes = [size for _, size in _parts(unfinished)]
        tags: dict[int, str] = {}
        after = "0"
        while after:
            query = {"uploadId": unfinished.upload_id, "part-number-marker": after}
            try:
                body = self._ask("GET", query)[0]
            except Refused:  # gone, or we may not ask: then all is sent anew
                return None
            for part in _elements(body, "Part"):
                number, size = int(_text(part, "PartNumber")), int(_text(part, "Size"))
                if number <= len(sizes) and size == sizes[number - 1]:
                    tags[number] = _text(part, "ETag")
            is_more = _text(body, "IsTruncated") == "true"
            after = _text(body, "NextPartNumberMarker") if is_more else ""
        return tags

    def _put(self, unfinished: Unfinished, number: int, data: bytes) -> str:
        digest = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        query = {"uploadId": unfinished.upload_id, "partNumber": str(number)}
        _, headers = self._ask("PUT", query, data, {"Content-MD5": digest})
        return headers["ETag"]

    def _complete(self, unfinished: Unfinished, tags: Mapping[int, str]) -> None:
        document = ET.Element("CompleteMultipartUpload", xmlns="http://s3.amazonaws.com/doc/2006-03-01/")
        for number in sorted(tags):
            part = ET.SubElement(document, "Part")
            ET.SubElement(part, "PartNumber").text = str(number)
            ET.SubElement(part, "ETag").text = tags[number]
        try:
            body, _ = self._ask("POST", {"uploadId": unfinished.upload_id}, ET.tostring(document))
        except Refused as error:
            if _UNKNOWN_UPLOAD in str(error):
                return  # the answer to an earlier try was lost; reading the file back will tell
            raise
        if body.tag.endswith("Error"):  # the status was sent before the work was done
            raise PartsFailed(ET.tostring(body, "unicode"))

    def _ask(
        self, method: str, query: dict[str, str], data: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[ET.Element, Mapping[str, str]]:
        """Return the document and the headers of an answer. Raises :class:`PartsFailed`, and what signing raises."""
        deadline = time.monotonic() + self._patience_seconds
        for wait in _backoff():
            request = urllib.request.Request(  # noqa: S310  # the operator's own address
                self._sign(method, query), data, {"Content-Type": "application/octet-stream", **(headers or {})}
            )
            request.method = method
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310  # as above
                    body = answer.read()
                    return ET.fromstring(body or b"<Empty/>"), answer.headers  # noqa: S314  # the operator's own store
            except urllib.error.HTTPError as error:
                problem = f"status code: {error.code}: {error.read(4096).decode(errors='replace')}"
                if error.code not in _TRANSIENT:
                    raise Refused(problem) from None
            except (OSError, http.client.HTTPException, ET.ParseError) as error:
                problem = f"error sending request: {getattr(error, 'reason', error)}"
            if time.monotonic() + wait > deadline:
                raise PartsFailed(problem)
            time.sleep(wait)
        raise AssertionError


def sign(store: S3Store, name: str, method: str, query: dict[str, str]) -> str:
    """Return the address of a request on the file ``name`` of a store, signed. Raises :class:`CannotSign`.

    obstore signs a name but no query, so it is given the query as the end of its server's address; it says which
    request it is under ``x-id``, as the SDKs of Amazon do. What comes of it is checked: it may not always be so.
    """
    import obstore
    from obstore.store import S3Store

    if any(key.upper().startswith(_SPECIAL) for key in os.environ):
        raise CannotSign
    plain = obstore.sign(store, "GET", name, SIGNED_FOR).partition("?")[0]
    address = f"{plain}?{urlencode(query)}&x-id="
    options = {
        **store.config,
        "endpoint": address,
        "aws_endpoint_url_s3": address,
        "virtual_hosted_style_request": True,
    }
    options.pop("bucket", None)
    try:
        other = S3Store(store.config["bucket"], config=options, client_options=store.client_options)  # type: ignore[arg-type]  # endpoint and all are its own
        signed = obstore.sign(other, method, "HeapExporter", SIGNED_FOR)  # type: ignore[call-overload]  # a method's name
    except (obstore.exceptions.UnknownConfigurationKeyError, ValueError):
        raise CannotSign from None
    found = parse_qs(urlsplit(signed).query, keep_blank_values=True)
    is_kept = signed.startswith(f"{plain}?") and all(found.get(key) == [value] for key, value in query.items())
    if not is_kept or "X-Amz-Signature" not in found:
        raise CannotSign
    return str(signed)


def _parts(unfinished: Unfinished) -> list[tuple[int, int]]:
    """Return where each part begins, and its bytes."""
    offsets = range(0, unfinished.bytes, unfinished.part_bytes)
    return [(offset, min(unfinished.part_bytes, unfinished.bytes - offset)) for offset in offsets]


def _backoff() -> Iterator[float]:
    wait = MIN_BACKOFF_SECONDS
    while True:
        yield wait
        wait = min(2 * wait, MAX_BACKOFF_SECONDS)


def _elements(document: ET.Element, name: str) -> list[ET.Element]:
    return [element for element in document.iter() if re.sub("^{.*}", "", element.tag) == name]


def _text(document: ET.Element, name: str) -> str:
    found = _elements(document, name)
    if not found or not found[0].text:
        raise PartsFailed(f"the answer of the store has no {name}")
    return found[0].text
