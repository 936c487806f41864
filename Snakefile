"""The graph of one study: every rule executes a notebook with papermill. Run by `python -m prune_utils study`."""

import re
import sys
from pathlib import Path

from prune_utils.study import paths
from prune_utils.study.params import read_yaml, validated
from prune_utils.workflow.graph import nodes

study = validated(read_yaml(Path("params.yaml")))


localrules: all


rule all:
    input:
        paths.report(study.study),


every = nodes(study)
for place, node in enumerate(every):

    rule:
        name:
            f"{re.sub('[^A-Za-z0-9]+', '_', node.name)[:80]}_{place}"
        input:
            # a reworded notebook must not cost days of training: only the analyses depend on their template's time
            template=ancient(str(node.template)) if node.trains else node.template,
            params=ancient("params.yaml") if node.trains else "params.yaml",
            frames=[str(path) for path in node.after],
        output:
            notebook=str(node.notebook),
            frames=[str(path) for path in node.frames],
        threads: study.machine.threads
        resources:
            **node.needs,
        # in the order of the list: nodes that many others need come first
        priority: len(every) - place
        # `config: {head: [analyses]}` in a profile keeps the short notebooks on the machine that submits the others
        localrule: node.kind == "analysis" and "analyses" in config.get("head", [])
        shell:
            "exec {sys.executable:q} -m prune_utils node params.yaml {output.notebook:q}"


rule report:
    input:
        [str(node.notebook) for node in every],
    output:
        paths.report(study.study),
    localrule: "analyses" in config.get("head", [])
    shell:
        "{sys.executable:q} -m prune_utils render params.yaml"
