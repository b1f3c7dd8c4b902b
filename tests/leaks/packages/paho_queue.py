"""paho-mqtt: messages published while there is no connection wait in the client without a limit."""

from __future__ import annotations

from collections.abc import Callable

import paho.mqtt.client as mqtt

CLIENT = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)


def main(snapshot: Callable[[], None]) -> None:
    for number in range(5000):
        if number == 1000:
            snapshot()
        CLIENT.publish(f"sensor/{number}", b"x" * 200, qos=1)
    snapshot()
