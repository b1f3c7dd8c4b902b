"""SQLAlchemy: more statements than the compiled cache keeps; it prunes in batches."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import create_engine, literal_column, select

ENGINE = create_engine("sqlite://", query_cache_size=100)


def main(snapshot: Callable[[], None]) -> None:
    with ENGINE.connect() as connection:
        for number in range(700):
            if number == 300:
                snapshot()
            connection.execute(select(literal_column(f"{number} + 1").label(f"x{number}"))).all()
        snapshot()
