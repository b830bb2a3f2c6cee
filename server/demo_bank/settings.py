"""How the demo's bank is told where everything is."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Settings:
    """``server_url``: of Tongping, as its own pages have it, which signs decisions under that name. ``key``: of Tongping's API (``AK_….…``).
    ``public_url``: where browsers reach this bank. ``callback_url``: where Tongping does, "" for nowhere: then it is asked. ``ca_file``: a certificate
    to trust besides the system's, "" for none. ``pack``: the model pack that Tongping works with, where that is known.
    ``site``: the key of this site at Tongping, with which its pages can be shown to an agent; "" for pages that cannot."""

    server_url: str
    key: str = field(repr=False)
    folder: Path
    public_url: str
    callback_url: str = ""
    ca_file: str = ""
    name_zh: str = "同屏银行"
    name_en: str = "Tongping Bank"
    pack: str = ""
    site: str = ""

    @property
    def audience(self) -> str:
        """The key's id: whom decisions are for."""
        return self.key.partition(".")[0]

    @property
    def secure(self) -> bool:
        """Whether browsers come by HTTPS."""
        return self.public_url.startswith("https://")

    @property
    def may_return(self) -> bool:
        """Whether Tongping may send customers back: it does so to HTTPS, and on this machine."""
        return self.secure or is_loopback(self.public_url)

    @property
    def socket_url(self) -> str:
        """Where the script of shared pages speaks to Tongping."""
        return self.server_url.replace("http", "ws", 1)

    @property
    def workbench_url(self) -> str:
        return f"{self.server_url}/agent"


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
