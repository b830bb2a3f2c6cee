"""Co-browse as the composition root makes it: the bank's sites and their rules, the sanitisers, the shares and their sockets. Without a site there is nothing of
it."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping

from aiohttp import web

from media.errors import MediaUnavailableError
from server.cobrowse import share
from server.cobrowse.process_messages import Configure
from server.config import Config
from server.config_cobrowse import Pack, read_packs
from server.context import Context
from server.drawings import Drawings
from server.errors import ConfigError
from server.live.cobrowse.alone import Alone
from server.live.cobrowse.endpoint import CobrowseEndpoint, CobrowseSettings, tab_limits
from server.live.cobrowse.held import ShareSettings, Site
from server.live.cobrowse.journal import PageRecords
from server.live.cobrowse.shares import Shares
from server.live.cobrowse.site import OfferRecords, OnSite
from server.live.hub import LiveSessions
from server.sanitisers import Sanitisers
from server.services.page_places import PagePlaces
from server.telemetry import Metrics

log = logging.getLogger(__name__)
WHOLE = frozenset({"network", "limits", "privileges", "calls"})
"""What holds a sanitiser, where the machine allows it."""
TAB_PATH, VIEW_PATH, SITE_PATH = "/api/v1/cobrowse/tab", "/api/v1/cobrowse/view", "/api/v1/cobrowse/site"


async def opened(config: Config) -> dict[str, Pack]:
    """The rules of all sites. Raises ConfigError."""
    return await asyncio.to_thread(read_packs, config.cobrowse)


def sites(config: Config, packs: Mapping[str, Pack]) -> dict[str, Site]:
    return {
        one.key: Site(
            one.key,
            one.name,
            frozenset(one.origins),
            share.Site(
                rules=packs[one.key].rules.hash,
                pages=packs[one.key].pages,
                bank_zh=config.bank.name_zh,
                bank_en=config.bank.name_en,
            ),
            packs[one.key].rules,
            one.presence,
        )
        for one in config.cobrowse.sites
    }


class Cobrowsing:
    """Use as ``await start()`` … ``await close()`` … ``await stop()``, the last when all that is to be told was told."""

    def __init__(
        self,
        config: Config,
        packs: Mapping[str, Pack],
        context: Context,
        live: LiveSessions,
        make_id: Callable[[str], str],
        client_address: Callable[[web.Request], str],
        *,
        stop_s: float,
    ) -> None:
        own = config.cobrowse
        self.sanitisers = Sanitisers(
            own.processes,
            {pack.rules.hash: pack.text for pack in packs.values()},
            configure=Configure(nodes=own.max_nodes, memory_bytes=own.memory_mb << 20),
            stop_s=stop_s,
        )
        self._stop_s = stop_s
        self._live = live
        self._ticks: list[asyncio.Task[None]] = []
        records = PageRecords(context.store, context.clock, make_id, live.settings.store_s)
        self.shares = Shares(
            sites(config, packs),
            self.sanitisers,
            records,
            context.throttle,
            context.clock,
            make_id,
            live.find,
            ShareSettings(shares=own.max_shares, per_address=own.max_shares_per_address, viewers=own.max_viewers),
        )
        self.sanitisers.listen(self.shares)
        settings = CobrowseSettings(
            origins=frozenset({context.public_url, *config.cors_origins}),
            tabs=2 * own.max_shares,
            tabs_per_address=2 * own.max_shares_per_address,
            viewers=4 * own.max_shares,
            viewers_per_address=config.limits.max_connections_per_address,
            tab=tab_limits(own.tab_bytes_s),
        )
        self.endpoint = CobrowseEndpoint(self.shares, context.verifier, context.clock, settings, client_address)
        places = PagePlaces(context.store, context.clock, make_id, context.invitations)
        self.shares.calling.link = places.link
        self.shares.drawing.draw = Drawings().draw
        self.on_site = OnSite(
            self.shares.sites,
            Alone(self.shares, records, places),
            OfferRecords(context.store, context.clock, make_id, live.settings.store_s),
            context.clock,
            make_id,
            client_address,
            most=own.max_visitors,
            per_address=own.max_visitors_per_address,
        )
        _measure(context.metrics, self.shares, self.on_site, self.sanitisers)

    async def start(self) -> None:
        """Raises ConfigError: there is no sanitiser on this machine."""
        try:
            await self.sanitisers.start()
        except MediaUnavailableError as error:
            raise ConfigError(f"co-browse: {error.detail or error.code}") from None
        missing = WHOLE - set(self.sanitisers.confined)
        if missing:
            log.warning("sanitiser is not wholly confined", extra={"missing": sorted(missing)})
        self._live.cobrowse = self.shares
        self._live.pages = self.on_site
        self._ticks = [
            asyncio.create_task(self.shares.run_ticks(), name="cobrowse-ticks"),
            asyncio.create_task(self.on_site.run_ticks(), name="cobrowse-visitors"),
        ]

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get(TAB_PATH, self.endpoint.tab, name="cobrowse-tab")
        app.router.add_get(VIEW_PATH, self.endpoint.view, name="cobrowse-view")
        app.router.add_get(SITE_PATH, self.on_site.tab, name="cobrowse-site")

    async def close(self) -> None:
        """Everybody is told, and it is written down."""
        self._live.cobrowse = self._live.pages = None
        for task in self._ticks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self.on_site.close()
        await self.shares.close(self._stop_s)

    async def stop(self) -> None:
        """The processes end."""
        await self.sanitisers.close()


def _measure(metrics: Metrics, shares: Shares, on_site: OnSite, sanitisers: Sanitisers) -> None:
    metrics.gauge("tongping_cobrowse_shares", "Pages that are shared now, looked at or not", lambda: float(len(shares)))
    metrics.gauge("tongping_cobrowse_viewers", "Sockets of those who look at one", lambda: float(shares.viewers))
    metrics.gauge("tongping_cobrowse_visitors", "Customers on sites with presence", lambda: float(len(on_site)))
    metrics.gauge("tongping_cobrowse_sanitiser_ready", "Whether all sanitisers answer", lambda: float(sanitisers.is_ready))
    metrics.gauge("tongping_cobrowse_sanitiser_restarts", "How often one was started again", lambda: float(sanitisers.restarts))
