"""Run and inspect studies from the command line: `python -m prune_utils study params/demo.yaml`."""

import argparse
import gc
import os
import signal
import sys
from importlib import import_module
from pathlib import Path

from prune_utils.study import paths
from prune_utils.study.section import ParamsError
from prune_utils.study.words import QUIET, SEARCHED

PARAMS = ("params", {"type": Path, "help": "a params file"})
DRY = ("--dry-run", {"dest": "dry", "action": "store_true", "help": "list its notebooks; run nothing"})
PROFILE = ("--profile", {"type": Path, "help": "folder of a Snakemake profile: run on a cluster, see docs/cluster.md"})
ACCELERATOR = ("--accelerator", {"default": "H200", "help": "GPU to estimate for: H200 (default) or A100"})
NAMES = ("names", {"nargs": "+", "metavar": "study", "help": "study names (folders under results/ or evidence/)"})
NOTEBOOK = ("notebook", {"type": Path, "help": "its path below the results, see prune_utils/workflow/graph/whole.py"})
END = ("--end", {"action": "store_true", "help": "end notebooks that an earlier start has left running"})
ARM = ("--arm", {"required": True, "help": "an arm of the study"})
AT = ("--sparsity", {"type": float, "required": True, "help": "a sparsity of its grid, such as 0.5"})
SEED = ("--seed", {"type": int, "default": 0, "help": "default: 0"})
TASK = ("--task", {"help": "its fine-tuned model for a task; default: the pre-trained one"})
FOLDER = ("folder", {"type": Path, "help": "results of a study"})
STARTED = ("started", {"type": float, "help": "when the study was started, seconds since 1970"})
# each command with its function, help and arguments; modules are imported on demand, since some take seconds
COMMANDS = {
    "study": ("launch.run", "run a study; finished parts are skipped", [PARAMS, DRY, PROFILE, END]),
    "status": ("status.show", "print the progress of a study, wherever it runs", [PARAMS]),
    "plan": ("cost.plan.show", "estimate the cost of a study before it runs", [PARAMS, ACCELERATOR]),
    "report": ("reporting.rebuild", "build the report from finished results", [PARAMS]),
    "compare": ("reporting.compare", "build a page that compares studies", [NAMES]),
    "evidence": ("reporting.keep", "keep the small frames of a finished study in evidence/", [PARAMS]),
    "export": ("reporting.export", "write a model as a from_pretrained folder", [PARAMS, ARM, AT, SEED, TASK]),
    "node": ("execution.execute_node", "execute one notebook of a study (called by the Snakefile)", [PARAMS, NOTEBOOK]),
    "fence": ("cluster.fence", "end a job of an earlier start (called on a cluster)", [FOLDER, STARTED]),
    "render": ("reporting.publish", "make the pages of a finished study (called by the Snakefile)", [PARAMS]),
}


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return the exit status: 0, 1 if a file cannot be written, 2 for unusable input, 130 if interrupted."""
    parser = argparse.ArgumentParser(prog="python -m prune_utils", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (_, text, options) in COMMANDS.items():
        command = commands.add_parser(name, help=text)
        for flag, settings in options:
            command.add_argument(flag, **settings)
    given = vars(parser.parse_args(arguments))
    module, function = COMMANDS[given.pop("command")][0].rsplit(".", 1)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name that a terminal cannot show does not end a study
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `kill` and schedulers stop a study as Ctrl-C does
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup asks for
        signal.signal(signal.SIGHUP, signal.default_int_handler)  # so does a terminal that is closed
    os.environ.update({name: value for name, value in QUIET.items() if name not in os.environ})
    gc.set_threshold(SEARCHED)
    # not imported: jsonschema, which checks notebooks, would compile its grammar of addresses, and no notebook has one
    sys.modules.setdefault("rfc3987_syntax", None)
    try:
        made = getattr(import_module(f"prune_utils.workflow.{module}"), function)(**given)
        if isinstance(made, Path):
            print(f"report: {paths.shown(made)}")
    except ParamsError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:  # who reads the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a full disk, a folder without permission, a file system without locks
        said = f"{error.filename or 'a file'}: {error.strerror}" if error.strerror else error  # some have but a message
        print(f"{said}; nothing finished is lost", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; run the same command to resume", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
