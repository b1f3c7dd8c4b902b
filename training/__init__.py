"""Trains the leak model of the detector: the corpus, the features of its series, the trees and their calibration."""
