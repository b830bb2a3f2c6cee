"""The section ``[verification]`` of the configuration."""

from typing import Annotated, Literal

from server.config_base import Section, doc

MIB = 1 << 20
Held = Literal["auto", "nothing", "limits", "privileges", "calls", "network", "user"]


class VerificationConfig(Section, frozen=True, kw_only=True):
    """Face checks (`docs/face-api.md`). Where packs are is `models_dir`, at the top of the file."""

    enabled: Annotated[
        bool, doc("Start the workers of face checks. Without them `/api/v1/face` answers 503, all else works.")
    ] = True
    pack: Annotated[str, doc("The model pack to work with; `tongping models list`.", pattern="^[a-z0-9][a-z0-9-]{0,39}$")] = (
        "base"
    )
    pack_hash: Annotated[
        str,
        doc(
            "Work with no other pack than the one of this hash (`tongping models verify` prints it). Empty: whichever has that name.",
            pattern="^([0-9a-f]{64})?$",
        ),
    ] = ""
    workers: Annotated[int, doc("Worker processes.", ge=1, le=256)] = 1
    document_workers: Annotated[
        int,
        doc("Worker processes that read identity documents, 300 to 550 MiB each. 0: none are read.", ge=0, le=256),
    ] = 1
    threads: Annotated[int, doc("Threads of each model in each worker.", ge=1, le=64)] = 1
    providers: Annotated[
        tuple[str, ...],
        doc("Execution providers of ONNX Runtime, best first: `cpu`, `cuda`, `openvino`, or a full name.", min_length=1),
    ] = ("cpu",)
    require_confined: Annotated[
        tuple[Held, ...],
        doc(
            "What must hold a worker, or nothing is shown to it: `limits`, `privileges`, `calls`, `network`, `user` "
            "([what each is](verification-engine.md)); `auto`: of the first three what this kind of machine has at all, with another provider "
            "than `cpu` `privileges`; `nothing`. What does not hold is said in the log, `/readyz` and `/metrics`.",
            min_length=1,
        ),
    ] = ("auto",)
    memory_bytes: Annotated[
        int, doc("Resident memory of a worker, in bytes; one that takes more is ended.", ge=128 * MIB, le=1 << 40)
    ] = 512 * MIB
    document_memory_bytes: Annotated[
        int, doc("The same of a worker that reads documents, whose models take 150 MiB more.", ge=256 * MIB, le=1 << 40)
    ] = 576 * MIB
    deadline_s: Annotated[
        float, doc("Longest wait for an answer of a worker, its queue included, in seconds.", gt=0, le=300)
    ] = 10.0
    live_attempts_per_worker: Annotated[
        int,
        doc(
            "Live attempts at once for each worker; one more is refused before it begins (`attempts_busy`) and the page asks again. Two are what "
            "a worker with the pack `open` and a processor of its own keeps up with ([figures](verification-liveness.md#how-many-at-once)). 0: no limit.",
            ge=0,
            le=1000,
        ),
    ] = 2
    max_waiting: Annotated[int, doc("Calls that may wait for a worker; one more is refused as busy.", ge=1, le=10_000)] = 16
    fmr: Annotated[
        float,
        doc("Operating point of comparisons that name none: a false match rate of the pack. 0: the pack's own.", ge=0, lt=1),
    ] = 0.0
    key: Annotated[
        str,
        doc(
            "Master keys of stored templates: 32 bytes in base64, several comma-separated, the first seals. Empty: made once and kept in "
            "`data_dir`."
        ),
    ] = ""
    max_body_bytes: Annotated[int, doc("Largest request with pictures, in bytes.", ge=64 * 1024, le=64 * MIB)] = 24 * MIB
    max_requests: Annotated[int, doc("Requests with pictures under way at once, in all.", ge=1, le=1000)] = 8
    max_requests_per_caller: Annotated[
        int,
        doc("Of these, one API key's. People with a place in a session: one each, and half of all together.", ge=1, le=1000),
    ] = 4
    key_rate_per_min: Annotated[
        int, doc("Checks a minute of one API key; each pair of a batch is one.", ge=1, le=1_000_000)
    ] = 600
    person_rate_per_min: Annotated[int, doc("Checks a minute of one person with a place in a session.", ge=1, le=1000)] = 20
    session_checks: Annotated[
        int,
        doc(
            "Checks in one session in all, of everybody with a place in it; whoever enters again begins no new count.",
            ge=1,
            le=100_000,
        ),
    ] = 300
    waiting_checks: Annotated[
        bool,
        doc(
            "Let customers who wait in line have checks made too. Anybody may wait: leave it off where people come without an invitation."
        ),
    ] = False
    strict_enrolment: Annotated[
        bool, doc("Refuse pictures of bad quality as templates. False: they are taken, and what is wrong is said.")
    ] = True
