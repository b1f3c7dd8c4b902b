"""The native walker against what CPython itself says of the same heap."""
