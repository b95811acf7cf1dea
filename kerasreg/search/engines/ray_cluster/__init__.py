"""The Ray cluster that a search trains on: which, how it is joined, and what its workers do.

Ray is imported by this room and by `ray_engine`, and by both only when a cluster is asked for.
"""

from kerasreg.search.engines.ray_cluster.options import RayCluster
