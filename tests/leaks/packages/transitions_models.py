"""transitions: one machine for all orders keeps each model that was added."""

from __future__ import annotations

from collections.abc import Callable

from transitions import Machine


class Order:
    pass


MACHINE = Machine(
    model=None,
    states=["new", "paid", "sent"],
    initial="new",
    transitions=[["pay", "new", "paid"], ["send", "paid", "sent"]],
)


def main(snapshot: Callable[[], None]) -> None:
    for number in range(2000):
        if number == 300:
            snapshot()
        order = Order()
        MACHINE.add_model(order)
        order.pay()
        order.send()
    snapshot()
