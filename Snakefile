"""The graph of one study: every node is a notebook, executed by papermill. Run by `python -m prune_utils study`."""

import re
import sys

from prune_utils.study import paths
from prune_utils.workflow.nodes import nodes
from prune_utils.study.params import read_yaml, validated

study = validated(read_yaml(Path("params.yaml")))


localrules: all


rule all:
    input:
        paths.report(study.study),


every = nodes(study)
for place, node in enumerate(every):

    rule:
        name:
            f"{re.sub('[^A-Za-z0-9]+', '_', node.name)[:80]}_{place}"  # a task may be called anything
        input:
            # a wording mended in a notebook must not cost days of training: only the analyses are run anew for it
            template=ancient(str(node.template)) if node.trains else node.template,
            params=ancient("params.yaml") if node.trains else "params.yaml",
            after=[str(path) for path in node.after],
        output:
            notebook=str(node.notebook),
        threads: 1
        # in the order of the list: what much depends on comes early, and no core waits at the end for one long chain
        priority: len(every) - place
        shell:
            "{sys.executable:q} -m prune_utils node params.yaml {output.notebook:q}"


rule report:
    input:
        "regimes.ipynb",
    output:
        paths.report(study.study),
    shell:
        "{sys.executable:q} -m prune_utils render params.yaml"
