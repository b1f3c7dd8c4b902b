"""Small programs on published packages: leaks as users reported them, and healthy caches, pools and warm-ups."""
