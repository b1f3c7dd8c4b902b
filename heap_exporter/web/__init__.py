"""HTTP: the pages, who may see them, and the server that carries them."""
