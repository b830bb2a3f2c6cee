"""How a pool of workers is set up. Pure."""

import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from verification.engine.calls import MACHINES

WHOLE = frozenset({"limits", "privileges", "calls"})
"""What holds a worker wherever one can be held."""
MEANS = WHOLE | {"network", "user"}
"""All that there is (``confine``)."""
AUTO = "auto"
CPU_NAMES = frozenset({"cpu", "CPUExecutionProvider"})


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """``models_dir``: where packs are installed. ``threads``: of each model in each worker. ``providers``: ONNX Runtime's, by name, or short
    (``cpu``, ``cuda``, ``openvino``). ``memory_bytes``: resident, of each worker; one that takes more is ended.

    ``deadline_s``: of a call on the clock, waiting included. ``work_s``: processor time of one picture in a worker (where it cannot be read: time on the
    clock). ``stall_s``: time on the clock of one picture. Whose work takes more of either is taken for hung, however many pictures the call has: a worker
    that is kept waiting by a machine with much to do has done nothing wrong, one that waits for ever has.
    ``max_waiting``: calls that wait for a worker; one more is refused as busy. ``pack_hash``: if given, no other pack than this is worked with.
    ``document_workers``: others, for documents alone, whose reader takes 150 MiB; they have a line of their own. 0: no documents are read.
    ``document_memory_bytes``: resident, of each of these.
    ``documents``: of these workers; for ``EnginePool`` to say.
    ``renew_files``: after so many calls with files of strangers a worker is replaced: by one that is ready before it ends, where there is memory for both, else
    as soon as none waits; after twice as many in any case. Whoever had taken it over has it no longer.
    ``require_confined``: what must hold each worker (``PackInfo.confined``), or it is not worked with; ``auto``: limits, no way back to privileges and the
    filter of system calls where the processor looks at pictures, privileges alone where a device does; of that, what this kind of machine has at all.
    ``ping_s``: how often an idle worker is asked whether it is there, ``pong_timeout_s``: how long it may take to say so. ``refused_s``: after so long
    one that refused to start is tried again.
    """

    workers: int = 1
    pack: str = "base"
    models_dir: Path = Path("var/models")
    threads: int = 1
    providers: tuple[str, ...] = ("cpu",)
    memory_bytes: int = 512 << 20
    deadline_s: float = 10.0
    work_s: float = 3.0
    stall_s: float = 8.0
    max_waiting: int = 16
    pack_hash: str = ""
    document_workers: int = 0
    document_memory_bytes: int = 576 << 20
    documents: bool = False
    renew_files: int = 500
    require_confined: tuple[str, ...] = (AUTO,)
    ready_timeout_s: float = 60.0
    ping_s: float = 0.5
    pong_timeout_s: float = 1.5
    close_s: float = 2.0
    backoff_first_s: float = 0.05
    backoff_max_s: float = 2.0
    refused_s: float = 5.0
    command: tuple[str, ...] = (sys.executable, "-m", "verification.engine.worker")

    def __post_init__(self) -> None:
        if self.workers < 1 or self.threads < 1 or self.max_waiting < 1 or self.document_workers < 0 or self.renew_files < 1:
            raise ValueError("at least one worker, one thread, one call that may wait and one before a worker is renewed")
        if min(self.deadline_s, self.work_s, self.stall_s, self.ready_timeout_s, self.ping_s, self.pong_timeout_s) <= 0:
            raise ValueError("times are more than 0 seconds")
        unknown = set(self.require_confined) - MEANS - {AUTO}
        if unknown:
            raise ValueError(f"nothing holds a worker by the name of {', '.join(sorted(unknown))}: {', '.join(sorted(MEANS))}")

    @property
    def confined(self) -> frozenset[str]:
        """What must hold each worker."""
        named = frozenset(self.require_confined)
        if AUTO not in named:
            return named
        usual = WHOLE if set(self.providers) <= CPU_NAMES else frozenset({"privileges"})
        return (named - {AUTO}) | (usual & possible())


def possible() -> frozenset[str]:
    """What of ``WHOLE`` this kind of machine has at all."""
    if sys.platform != "linux":
        return frozenset({"limits"})
    return WHOLE if platform.machine() in MACHINES else WHOLE - {"calls"}
