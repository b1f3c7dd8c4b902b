"""The pages of the shop: a WSGI application."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from .products import PRODUCTS, page
from .sessions import Item, session_of

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

URLS = Map(
    [
        Rule("/", endpoint="front", methods=["GET"]),
        Rule("/products/<int:product_id>", endpoint="product", methods=["GET"]),
        Rule("/cart/<int:product_id>", endpoint="cart", methods=["POST"]),
    ]
)


def make_app(leaky: bool) -> Wsgi:
    """Return the WSGI application of the demo's shop. Sessions never expire in a leaky one."""

    @Request.application
    def app(request: Request) -> Response:
        try:
            endpoint, values = URLS.bind_to_environ(request.environ).match()
        except HTTPException as error:
            return error.get_response(request.environ)
        visitor = request.cookies.get("visitor") or secrets.token_hex(16)
        product_id = int(values.get("product_id", 0)) % PRODUCTS
        response = Response(_answer(endpoint, visitor, product_id, expire=not leaky), mimetype="text/html")
        response.set_cookie("visitor", visitor, httponly=True)
        return response

    return app


def _answer(endpoint: str, visitor: str, product_id: int, *, expire: bool) -> str:
    session = session_of(visitor, expire)
    shown = page(product_id)
    if endpoint == "product":
        session.viewed.append(product_id)
    elif endpoint == "cart":
        options = {f"option {number}": [f"choice {number}", visitor] for number in range(8)}
        session.cart.append(Item(product_id, f"{shown.title} for {visitor}", options))
        return f"<p>{len(session.cart)} items in your cart</p>"
    return shown.html()
