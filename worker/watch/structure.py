"""structlog, without what it loads to colour tracebacks, which never are: rich and pygments, 4 MB of a daemon."""

import sys

sys.modules.setdefault("rich", None)  # type: ignore[arg-type]  # None: there is no such module
import structlog  # noqa: E402  before it the module that it is to miss
from structlog.contextvars import merge_contextvars  # noqa: E402  the same
from structlog.typing import Processor  # noqa: E402  the same

if sys.modules.get("rich") is None:
    sys.modules.pop("rich", None)

__all__ = ["Processor", "merge_contextvars", "structlog"]
