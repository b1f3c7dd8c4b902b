"""SQLAlchemy: objects added to a long-lived session that is never flushed."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Integer, String, create_engine
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column


class Base(DeclarativeBase):
    pass


class Event(Base):
    __tablename__ = "events"
    id = mapped_column(Integer, primary_key=True)
    text = mapped_column(String)


SESSION = Session(create_engine("sqlite://"), autoflush=False)


def main(snapshot: Callable[[], None]) -> None:
    for number in range(3000):
        if number == 500:
            snapshot()
        SESSION.add(Event(text=f"event {number}"))
    snapshot()
