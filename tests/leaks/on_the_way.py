"""One handler, one thread and one function that are needed, each the way to a container that grows."""

from __future__ import annotations

import logging
import queue
import threading
from collections import OrderedDict, deque
from collections.abc import Callable


class Line:
    def __init__(self, number: int) -> None:
        self.text = f"line {number} of the log"


class Recent(logging.Handler):
    """Keeps the last lines, as many as there are."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: deque[Line] = deque()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(Line(record.lineno))


class Answer:
    def __init__(self, number: int) -> None:
        self.text = f"answer {number} of the server"


class Poller(threading.Thread):
    """Keeps the answer to each question."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.questions: queue.Queue[int] = queue.Queue()
        self.answers: dict[int, Answer] = {}

    def run(self) -> None:
        while True:
            number = self.questions.get()
            self.answers[number] = Answer(number)
            self.questions.task_done()


class Price:
    def __init__(self, number: int) -> None:
        self.text = f"price {number} of the list"


def remembering(find: Callable[[int], Price]) -> Callable[[int], Price]:
    found: OrderedDict[int, Price] = OrderedDict()

    def look_up(number: int) -> Price:
        if number not in found:
            found[number] = find(number)
        return found[number]

    return look_up


price = remembering(Price)

LOG = logging.getLogger("on the way")


def main(snapshot: Callable[[], None]) -> None:
    LOG.propagate = False
    LOG.addHandler(Recent())
    poller = Poller()
    poller.start()
    questions = poller.questions
    del poller  # the table of running threads leads to it
    for numbers in (range(500), range(500, 2500)):
        for number in numbers:
            LOG.warning("message %d", number)
            questions.put(number)
            price(number)
        questions.join()
        snapshot()
