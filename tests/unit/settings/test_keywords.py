"""The types of the keywords. `make check` runs mypy on this file: a comment that ignores no error is an error."""

from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

import heap_exporter
from heap_exporter.errors import SettingsError
from heap_exporter.runtime.quantities import DURATION
from heap_exporter.runtime.redaction import Secret
from heap_exporter.settings import Settings, definitions
from heap_exporter.settings.keywords import Duration, SettingsKeywords, Size


def test_the_keywords_are_the_settings_with_their_types() -> None:
    hints = get_type_hints(SettingsKeywords)

    assert list(hints) == list(definitions())
    for name, definition in definitions().items():
        assert hints[name] == _keyword_type(hints[name], name), definition


def _keyword_type(written: Any, name: str) -> Any:
    """Return the type that the keyword of a setting should have."""
    definition = definitions()[name]
    if definition.rule.choices:
        assert get_origin(written) is Literal
        assert get_args(written) == definition.rule.choices
        return written
    if definition.rule.quantity:
        return Duration if definition.rule.quantity is DURATION else Size
    if definition.kind is Path:
        return get_type_hints(SettingsKeywords)["snapshot_dir"]
    return str if definition.kind is Secret else definition.kind


def test_a_misspelt_keyword_is_an_error_for_type_checkers_and_at_run_time() -> None:
    with pytest.raises(SettingsError, match="did you mean port"):
        heap_exporter.start(prot=9)  # type: ignore[call-arg]
    with pytest.raises(SettingsError, match="did you mean port"):
        heap_exporter.register(prot=9)  # type: ignore[call-arg]
    with pytest.raises(SettingsError, match="did you mean port"):
        heap_exporter.make_wsgi_app(prot=9)  # type: ignore[call-arg]
    with pytest.raises(SettingsError, match="did you mean port"):
        heap_exporter.make_asgi_app(prot=9)  # type: ignore[call-arg]
    with pytest.raises(SettingsError, match="window must be a duration"):
        heap_exporter.start(window=[15])  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="walker must be auto, native or portable"):
        heap_exporter.start(walker="fast")  # type: ignore[arg-type]


def test_a_misspelt_event_is_an_error_for_type_checkers_and_at_run_time(tmp_path: Path) -> None:
    exporter = heap_exporter.HeapExporter(Settings(snapshot_dir=tmp_path))

    with pytest.raises(ValueError, match="the only event is 'leak'"):
        exporter.on("leek", print)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="the only event is 'leak'"):
        exporter.monitor.on("leek", print)  # type: ignore[arg-type]


def test_durations_may_be_texts_timedeltas_and_seconds() -> None:
    by_text = Settings.load({}, window="30m", min_slope="10MiB/h", growth_threshold="5%", snapshot_max_size="2GiB")
    by_number = Settings.load({}, window=1800, min_slope=10 << 20, growth_threshold=5, snapshot_max_size=2 << 30)

    assert by_text == by_number == Settings.load({}, **_timed(timedelta(minutes=30)))


def _timed(window: timedelta) -> SettingsKeywords:
    return {"window": window, "min_slope": "10MiB/h", "growth_threshold": "5%", "snapshot_max_size": "2GiB"}
