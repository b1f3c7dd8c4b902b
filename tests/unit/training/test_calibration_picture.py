"""The picture of the calibration is a drawing with a dot for each bin that has series."""

import xml.etree.ElementTree as ET

from training.calibration_picture import Bin, picture

NAMESPACE = "{http://www.w3.org/2000/svg}"


def test_each_bin_with_series_is_a_dot_and_higher_where_more_leaked() -> None:
    drawing = ET.fromstring(picture([Bin(0, 0.0, 0.0), Bin(60, 0.2, 0.25), Bin(240, 0.9, 0.95)]))
    rare, usual = drawing.findall(f"{NAMESPACE}circle")

    assert float(rare.attrib["cy"]) > float(usual.attrib["cy"])
    assert float(rare.attrib["r"]) < float(usual.attrib["r"])
    assert usual[0].text == "240 series: predicted 0.90, observed 0.95"
