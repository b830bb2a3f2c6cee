"""Posts webhooks. SHELL. No redirect is followed, no proxy of the environment is asked, and hardly anything of an answer is read."""

import asyncio
import math

import aiohttp

from server.webhooks.schedule import Answer

READ_BYTES = 1024


class HttpPost:
    """``timeout_s``: for the whole of a try. Call ``close`` at the end."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, url: str, body: bytes, headers: dict[str, str]) -> Answer:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._timeout_s), cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            )
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                await answer.content.read(READ_BYTES)
                return Answer(answer.status, retry_after_s=_seconds(answer.headers.get("Retry-After", "")))
        except TimeoutError:
            return Answer(0, "timeout")
        except aiohttp.ClientSSLError:
            return Answer(0, "tls")
        except (aiohttp.ClientError, OSError, ValueError):
            return Answer(0, "connection")

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # transports close on the loop's next turn


def _seconds(text: str) -> float:
    """Of a Retry-After in seconds; 0 for a date or anything else."""
    try:
        found = float(text)
    except ValueError:
        return 0.0
    return found if math.isfinite(found) and found > 0 else 0.0
