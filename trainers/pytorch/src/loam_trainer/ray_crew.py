"""Workers as actors of a Ray cluster; this process handles the contract and has no engine itself."""

from __future__ import annotations

from typing import Any

from .engine import Engine
from .errors import TrainerError, reason_of
from .group import join_group
from .hardware import hardware_of
from .options import Settings


class _Worker:
    """One engine in a Ray process."""

    def __init__(self, settings: Settings, rank: int, size: int) -> None:
        self._settings = settings
        self._rank = rank
        self._size = size
        self._engine: Engine | None = None

    def address(self) -> str:
        """Address at which other workers can join this worker."""
        import socket

        import ray

        with socket.socket() as free:
            free.bind(("", 0))
            return f"tcp://{ray.util.get_node_ip_address()}:{free.getsockname()[1]}"

    def join(self, address: str) -> tuple[str, str]:
        """Joins the other workers; returns device and precision."""
        hardware = hardware_of(self._settings)
        group = join_group(hardware.device, self._rank, self._size, address)
        self._engine = Engine(self._settings, hardware, group)
        return str(hardware.device), hardware.label

    def call(self, method: str, arguments: tuple[Any, ...]) -> tuple[Any, str | None]:
        """The result of a method of the engine, or the reason for its failure."""
        try:
            return getattr(self._engine, method)(*arguments), None
        except Exception as error:
            return None, reason_of(error)


class RayCrew:
    """Starts workers on a Ray cluster: that of RAY_ADDRESS, or one on this machine."""

    def __init__(self, settings: Settings, workers: int) -> None:
        """
        Raises:
            TrainerError: if Ray is not installed, or the cluster lacks resources for the workers.
        """
        try:
            import ray
        except ImportError as error:
            raise TrainerError("--ray needs Ray: pip install 'loam-trainer[ray]'") from error
        self._ray = ray
        ray.init(include_dashboard=False, log_to_driver=True, ignore_reinit_error=True)
        resources = ray.cluster_resources()
        wants_gpu = settings.device.startswith("cuda") or (
            settings.device == "auto" and resources.get("GPU", 0) >= workers
        )
        kind = "GPU" if wants_gpu else "CPU"
        if resources.get(kind, 0) < workers:
            raise TrainerError(f"--ray {workers}: the Ray cluster has only {resources.get(kind, 0):g} {kind}")
        actor = ray.remote(_Worker).options(num_cpus=1, num_gpus=1 if wants_gpu else 0)
        self._workers = [actor.remote(settings, rank, workers) for rank in range(workers)]
        address = ray.get(self._workers[0].address.remote())
        joined = ray.get([worker.join.remote(address) for worker in self._workers])
        self.device, self.precision = joined[0]

    def call(self, method: str, *arguments: Any) -> Any:
        answers = self._ray.get([worker.call.remote(method, arguments) for worker in self._workers])
        for _, reason in answers:
            if reason is not None:
                raise TrainerError(reason)
        return answers[0][0]

    def close(self) -> None:
        self._ray.shutdown()
