"""Stands where api.keepa.com is: a proxy that takes its TLS connections and answers from elsewhere.

A client that honours HTTPS_PROXY and REQUESTS_CA_BUNDLE needs no change at all to meet it: the
address, the certificate and the encryption are those of the real thing.
"""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import trustme

HOST = "api.keepa.com"
CHUNK = 65_536


@contextmanager
def standing_in(target: str, folder: Path) -> Iterator[dict[str, str]]:
    """Serve ``target`` as https://api.keepa.com; yields the environment that leads there."""
    authority = trustme.CA()
    bundle = folder / "authority.pem"
    authority.cert_pem.write_to_path(bundle)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(HOST).configure_cert(context)
    front = Front(target, context)
    try:
        yield {
            "HTTPS_PROXY": f"http://127.0.0.1:{front.start()}",
            "REQUESTS_CA_BUNDLE": str(bundle),
        }
    finally:
        front.stop()


class Front:
    """The proxy, in a thread and an event loop of its own."""

    def __init__(self, target: str, context: ssl.SSLContext) -> None:
        self._host, self._port = urlsplit(target).hostname, urlsplit(target).port
        self._context = context
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> int:
        """Listen; returns the port."""
        self._thread.start()
        listening = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result(10)
        return int(self._server.sockets[0].getsockname()[1])

    def stop(self) -> None:
        """Cut everything."""
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _cut(self) -> None:
        if self._server:
            self._server.close()
        tunnels = asyncio.all_tasks() - {asyncio.current_task()}
        for tunnel in tunnels:
            tunnel.cancel()
        await asyncio.gather(*tunnels, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Open the tunnel that was asked for, take TLS at its end, and pass both ways on."""
        asked = await reader.readuntil(b"\r\n\r\n")
        if asked.split()[1] != f"{HOST}:443".encode():
            writer.close()
            return
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        await writer.start_tls(self._context)
        there, back = await asyncio.open_connection(self._host, self._port)
        await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()
