"""An authenticated call: token, limit, retry, one more try after a rejection."""
