"""A cluster joined or started, its nodes and what they have installed."""

import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from kerasreg.errors import UserError
from kerasreg.search.engines.ray_cluster.options import RayCluster

#: What has to be the same on every node for the numbers to be.
PACKAGES = ("tensorflow", "keras", "kerasreg")


@contextlib.contextmanager
def joined(cluster: RayCluster) -> Iterator[None]:
    """Have Ray for the time of the block; one that the process has joined already is used as it is.

    Raises:
        UserError: Ray is not installed, or there is no such cluster.
    """
    if cluster.address == "local":
        # Read when Ray is imported. Without it Ray replaces 127.0.0.1 by the machine's own address
        # and listens on all of them.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise UserError(
            "--ray: expected the package ray, which is not installed: pip install 'kerasreg[ray]'."
        ) from None
    if ray.is_initialized():
        yield
        return
    options: dict[str, Any] = {
        "address": cluster.address,
        "logging_level": logging.ERROR,
        "log_to_driver": False,
    }
    if cluster.address == "local":
        options |= {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    try:
        with _own_signals():
            _check_reachable(cluster.address)
            ray.init(**options)
    except (OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"--ray {cluster.address}: Ray could not be joined: {reason}. (A cluster that asks "
            "for a token wants RAY_AUTH_MODE=token.)"
        ) from None
    # Ray prints a paragraph on stdout for every lost worker, of which the engine tells.
    ray._private.worker._worker_logs_enabled = False
    try:
        if cluster.address == "local":
            _check_loopback(ray.nodes())
        yield
    finally:
        with _own_signals():
            ray.shutdown()


def _check_reachable(address: str) -> None:
    """Raise an `OSError` where nobody listens: Ray would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()


def alive() -> dict[str, dict[str, Any]]:
    """The nodes of the cluster that are up, by id, as `ray.nodes` describes them."""
    import ray

    return {node["NodeID"]: node for node in ray.nodes() if node["Alive"]}


def places(node: Mapping[str, Any], cluster: RayCluster) -> int:
    """How many populations a node has room for."""
    room = node["Resources"]
    counts = [room.get("CPU", 0) / cluster.cpus]
    if cluster.gpus:
        counts.append(room.get("GPU", 0) / cluster.gpus)
    return int(min(counts))


def check_versions(nodes: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse nodes that have other versions than this process.

    Raises:
        UserError: Which node has which.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # Sent as it is, not by its name in a module: the node may have no kerasreg.
    def installed(packages):
        from importlib import metadata

        def found(name):
            try:
                return metadata.version(name)
            except metadata.PackageNotFoundError:
                return "none"

        return {name: found(name) for name in packages}

    here, ask = installed(PACKAGES), ray.remote(num_cpus=0)(installed)
    asked = {
        ask.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False)).remote(
            PACKAGES
        ): node
        for node_id, node in nodes.items()
    }
    for reference, node in asked.items():
        try:
            there = ray.get(reference)
        except ray.exceptions.RayError:
            continue  # the node has left
        others = [
            f"{name} {there[name]} (here {here[name]})"
            for name in PACKAGES
            if there[name] != here[name]
        ]
        if others:
            raise UserError(
                f"--ray: expected the same versions everywhere, but node "
                f"{node['NodeManagerAddress']} has {', '.join(others)}; install these there."
            )


def _check_loopback(nodes: list[dict[str, Any]]) -> None:
    """What we start is reachable from this machine alone.

    Raises:
        UserError: Ray was imported before it could be told.
    """
    for node in nodes:
        if node["NodeManagerAddress"] != "127.0.0.1":
            raise UserError(
                "--ray: expected Ray to listen on 127.0.0.1 only, got "
                f"{node['NodeManagerAddress']}: it was imported before kerasreg. Set "
                "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0 before Python starts."
            )


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Undo that Ray takes SIGTERM for itself."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
