"""How the outside sees us; reads and listens, never acts."""
