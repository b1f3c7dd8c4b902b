"""A library that keeps a few parsed documents: each is a tree of many small objects."""

from __future__ import annotations

from collections.abc import Callable


class Node:
    def __init__(self, depth: int) -> None:
        self.text = f"a paragraph at depth {depth}"
        self.children = [Node(depth - 1) for _ in range(5)] if depth else []


class Document:
    def __init__(self, number: int) -> None:
        self.body = Node(4)
        self.links = {f"link {i} of {number}": (i, float(i)) for i in range(400)}


class Library:
    def __init__(self) -> None:
        self.documents: list[Document] = []


LIBRARY = Library()


def main(snapshot: Callable[[], None]) -> None:
    for numbers in (range(40), range(40, 54)):
        LIBRARY.documents.extend(map(Document, numbers))
        snapshot()
