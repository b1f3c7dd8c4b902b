"""marshmallow #657: a schema class made for each request stays in the class registry."""

from __future__ import annotations

from collections.abc import Callable

from marshmallow import Schema, fields


def schema(number):
    return type(
        f"Request{number}Schema",
        (Schema,),
        {"id": fields.Int(), "name": fields.Str(), "tags": fields.List(fields.Str())},
    )


def main(snapshot: Callable[[], None]) -> None:
    for number in range(1000):
        if number == 200:
            snapshot()
        schema(number)().load({"id": number, "name": "x", "tags": []})
    snapshot()
