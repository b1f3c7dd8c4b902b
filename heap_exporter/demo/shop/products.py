"""The products, and a page cache with a limit: it fills up and then stays at that size."""

from __future__ import annotations

from functools import lru_cache

PRODUCTS = 5000


class Page:
    """A rendered product page."""

    def __init__(self, product_id: int) -> None:
        self.title = f"Product {product_id}"
        self.lines = [f"<p>{self.title}, paragraph {number}</p>" for number in range(20)]

    def html(self) -> str:
        """Return the shop's page as HTML."""
        return f"<h1>{self.title}</h1>{''.join(self.lines)}"


@lru_cache(maxsize=500)
def page(product_id: int) -> Page:
    """Return the page of a product from the cache."""
    return Page(product_id)
