"""The pages of the shop: ``/``, ``/products/NUMBER`` and, to put a product into the cart, ``POST /cart/NUMBER``."""

from __future__ import annotations

import re
import secrets
from http import HTTPStatus
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler

from .products import PRODUCTS, page
from .sessions import Item, session_of

_PATH = re.compile(r"/|/(products|cart)/([0-9]{1,9})")


class ShopHandler(BaseHTTPRequestHandler):
    """Answers the requests of the demo's shop."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each body waits for the client to acknowledge its head: 40 ms
    expire = True
    """Whether sessions expire; in a leaky shop they never do."""

    def do_GET(self) -> None:  # the standard library calls it by this name
        """Show the front page or a product."""
        self._answer({None, "products"})

    def do_POST(self) -> None:  # likewise
        """Put a product into the cart of the visitor."""
        self._answer({"cart"})

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the demo shows the state."""

    def _answer(self, kinds: set[str | None]) -> None:
        match = _PATH.fullmatch(self.path)
        if match is None or match[1] not in kinds:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        cookie = SimpleCookie(self.headers.get("Cookie", "")).get("visitor")
        visitor = cookie.value if cookie else secrets.token_hex(16)
        body = _page(match[1], visitor, int(match[2] or 0) % PRODUCTS, expire=self.expire).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", f"visitor={visitor}; HttpOnly; Path=/")
        self.end_headers()
        self.wfile.write(body)


def _page(kind: str | None, visitor: str, product_id: int, *, expire: bool) -> str:
    session = session_of(visitor, expire)
    shown = page(product_id)
    if kind == "products":
        session.viewed.append(product_id)
    elif kind == "cart":
        options = {f"option {number}": [f"choice {number}", visitor] for number in range(8)}
        session.cart.append(Item(product_id, f"{shown.title} for {visitor}", options))
        return f"<p>{len(session.cart)} items in your cart</p>"
    return shown.html()
