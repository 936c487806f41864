"""The graph of a study, as Snakemake runs it.

`nodes` lists its nodes, each an execution of a notebook; `analyses` those that only read, `to_do` those that a start executes,
and `outgrown` the notebooks that a larger grid has left behind. May import what `workflow` may.
"""

from prune_utils.workflow.graph.node import Node, lock_of
from prune_utils.workflow.graph.whole import analyses, nodes, outgrown, to_do

__all__ = ["Node", "analyses", "lock_of", "nodes", "outgrown", "to_do"]
