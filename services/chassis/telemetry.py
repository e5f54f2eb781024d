"""Structured logs on stderr, from our own code and from libraries, with secrets scrubbed."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Protocol, TextIO, cast

import msgspec
import structlog

_KEY_PARAMETER = re.compile(r"(?i)([?&\s\"']|^)((?:api_?)?key)=[^&\s\"'<>]+")
_URL_PASSWORD = re.compile(r"(?i)(\b[a-z][a-z0-9+.\-]*://[^\s:/@]*):[^\s/@]+@")
_SECRETS: set[str] = set()
_NOISY = ("httpx", "httpcore", "asyncio", "alembic", "hpack", "grpc", "nats")
_LONGEST_TEXT = 32_768


class _Stderr:
    """Whatever stderr is at the moment of writing; loggers outlive what a test puts there."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


class LogSettings(Protocol):
    """The part of the settings that says how to log."""

    @property
    def log_level(self) -> str:
        """The lowest level that is written."""
        ...

    @property
    def log_format(self) -> str:
        """Either json or console."""
        ...


def hide(secret: str) -> None:
    """Mask ``secret`` in every later log line, wherever it turns up; short texts are ignored."""
    if len(secret) >= 6:
        _SECRETS.add(secret)


def scrub(text: str) -> str:
    """Mask keys in URLs, passwords in URLs and every hidden secret."""
    for secret in _SECRETS:
        text = text.replace(secret, "***")
    if "key=" in text or "KEY=" in text:
        text = _KEY_PARAMETER.sub(r"\1\2=***", text)
    return _URL_PASSWORD.sub(r"\1:***@", text) if "://" in text else text


def configure_logging(settings: LogSettings) -> None:
    """Send structlog and the standard library to stderr, once for the whole process."""
    level = logging.getLevelNamesMapping()[settings.log_level]
    finish: list[Any] = [_scrub_event, _renderer(settings.log_format)]
    structlog.configure(
        processors=[*_enrichers(), *finish],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=cast("TextIO", _Stderr())),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(cast("TextIO", _Stderr()))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_enrichers()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *finish],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """Give a logger whose lines carry ``name``."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(module=name)
    return logger


def _enrichers() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]


def _renderer(log_format: str) -> Any:
    if log_format == "console":
        return structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            sort_keys=False,
            # The pretty one shows local variables, and among them secrets.
            exception_formatter=structlog.dev.plain_traceback,
        )
    return structlog.processors.JSONRenderer(serializer=_to_json)


def _to_json(event: Any, **_: Any) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()


def _scrub_event(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key, value in event.items():
        event[key] = _scrub_value(value)
    return event


def _scrub_value(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {scrub(str(key)): _scrub_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_scrub_value(item) for item in value]
    return scrub(str(value))[:_LONGEST_TEXT]
