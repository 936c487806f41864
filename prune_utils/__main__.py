"""The command line: `python -m prune_utils study params/demo.yaml`."""

import argparse
import sys
from pathlib import Path

from prune_utils.study import paths
from prune_utils.study.section import ParamsError


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m prune_utils", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    study = commands.add_parser("study", help="run a study, or what is left of it")
    study.add_argument("params", type=Path)
    study.add_argument("--dry-run", action="store_true", help="list its nodes and run none")
    status = commands.add_parser("status", help="say how far a study is, wherever it is run")
    status.add_argument("params", type=Path)
    plan = commands.add_parser("plan", help="say what a study will cost, before any of it is run")
    plan.add_argument("params", type=Path)
    plan.add_argument("--accelerator", default="H200", help="by name; see prune_utils/flops.py (default: H200)")
    node = commands.add_parser("node", help="execute one notebook of a study (called by the Snakefile)")
    node.add_argument("params", type=Path)
    node.add_argument("notebook", type=Path, help="where it goes, as prune_utils/nodes.py names it")
    report = commands.add_parser("report", help="make the report of what is finished of a study")
    report.add_argument("params", type=Path)
    side_by_side = commands.add_parser("compare", help="make a page of studies side by side, from their results")
    side_by_side.add_argument("studies", nargs="+", help="names of studies, as under results/")
    render = commands.add_parser("render", help="make pages of a study's notebooks (called by the Snakefile)")
    render.add_argument("params", type=Path)
    given = parser.parse_args(arguments)
    try:
        # each command imports what it needs: a node's few words on progress should not cost an import of torch
        if given.command == "study":
            from prune_utils.workflow.launch import run

            run(given.params, given.dry_run)
        elif given.command == "status":
            from prune_utils.workflow.status import show

            show(given.params)
        elif given.command == "plan":
            from prune_utils.study.params import load_study
            from prune_utils.workflow.notebook import quiet

            quiet()
            from prune_utils.workflow.plan import show

            show(load_study(given.params), given.accelerator)
        elif given.command == "node":
            from prune_utils.workflow.execution import execute_node

            execute_node(given.params, given.notebook)
        elif given.command == "report":
            from prune_utils.workflow.reporting import rebuild

            print(f"report: {paths.shown(rebuild(given.params))}")
        elif given.command == "compare":
            from prune_utils.workflow.reporting import compare

            print(f"report: {paths.shown(compare(given.studies))}")
        else:
            from prune_utils.study.params import read_yaml, validated
            from prune_utils.workflow.reporting import render

            render(validated(read_yaml(given.params)))
    except ParamsError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
