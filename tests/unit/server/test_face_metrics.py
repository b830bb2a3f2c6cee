"""What monitoring sees of face checks: every counter of the workers, by what they are for."""

from dataclasses import fields

from prometheus_client.parser import text_string_to_metric_families

from server.face_metrics import COUNTED, KILLED, NOW, WORKERS, measure
from server.services.face_ports import Readiness
from server.telemetry import Metrics
from verification.ports import EngineCounts, StepWork


class Pool:
    readiness = Readiness(True)

    def __init__(self, **counts: EngineCounts) -> None:
        self.counts_of = counts


def told(pool: Pool) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    metrics = Metrics()
    measure(metrics, pool)
    return {
        (sample.name.removeprefix("tongping_verification_"), tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
        if sample.name.startswith("tongping_verification_")
    }


def test_everything_that_is_counted_is_told() -> None:
    numbers = {field.name: at for at, field in enumerate(fields(EngineCounts), 1) if field.name != "steps"}
    faces = EngineCounts(**numbers, steps={"compare": StepWork(3, 0.5, 0.25)})
    found = told(Pool(faces=faces, documents=EngineCounts(ready=1)))
    mine = (("workers", "faces"),)
    for name in COUNTED:
        assert found[f"{name}_total", mine] == numbers[name]
        assert found[f"{name}_total", (("workers", "documents"),)] == 0
    for name in NOW:
        assert found[name, mine] == numbers[name]
    for name in WORKERS:
        assert found[f"workers_{name}", mine] == numbers[name]
    for reason in KILLED:
        assert found["killed_total", (("reason", reason), *mine)] == numbers[f"killed_{reason}"]
    assert found["steps_total", (("step", "compare"), *mine)] == 3
    assert found["work_seconds_total", (("clock", "wall"), ("step", "compare"), *mine)] == 0.5
    assert found["work_seconds_total", (("clock", "cpu"), ("step", "compare"), *mine)] == 0.25
    assert found["workers_ready", (("workers", "documents"),)] == found["ready", ()] == 1
    told_of = {*COUNTED, *NOW, *WORKERS, *(f"killed_{reason}" for reason in KILLED), "work_wall_s", "work_cpu_s", "none_s"}
    assert told_of == set(numbers)


def test_without_an_engine() -> None:
    pool = Pool()
    pool.readiness = Readiness(False, "starting", "")
    assert told(pool) == {("ready", ()): 0}
