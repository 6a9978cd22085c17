"""The only room that touches HTTP: sessions, deadlines, bounds, redirects, the trail of calls."""
