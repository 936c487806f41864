# Every target makes its own environment first, from nothing but Python 3.11 to 3.13.
PYTHON ?= python3
PARAMS ?= params/demo.yaml
ENV := .venv
RUN := $(ENV)/bin/python

.DEFAULT_GOAL := help
.PHONY: help demo study dry-run status plan report compare evidence lab app test check bench clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /|/' | awk -F'|' '{printf "make %-9s %s\n", $$1, $$2}'

demo: $(ENV)/ready ## run the whole study on the embedded language (9 to 18 minutes on 2 cores) and print the path of its report
	@$(RUN) -m prune_utils study params/demo.yaml

study: $(ENV)/ready ## run or resume a study: make study PARAMS=params/x.yaml [PROFILE=profiles/slurm [END=1]]
	@$(RUN) -m prune_utils study "$(PARAMS)" $(if $(PROFILE),--profile "$(PROFILE)") $(if $(END),--end)

dry-run: $(ENV)/ready ## list what a study would run: make dry-run PARAMS=params/paper.yaml
	@$(RUN) -m prune_utils study "$(PARAMS)" --dry-run

status: $(ENV)/ready ## print the progress of a study, wherever it runs: make status PARAMS=params/x.yaml
	@$(RUN) -m prune_utils status "$(PARAMS)"

plan: $(ENV)/ready ## estimate the cost of a study, here and on a GPU: make plan PARAMS=params/paper.yaml
	@$(RUN) -m prune_utils plan "$(PARAMS)"

report: $(ENV)/ready ## rebuild the report from what is finished: make report PARAMS=params/x.yaml
	@$(RUN) -m prune_utils report "$(PARAMS)"

compare: $(ENV)/ready ## make a page that compares studies: make compare STUDIES="demo published"
	@$(RUN) -m prune_utils compare $(STUDIES)

evidence: $(ENV)/ready ## keep the small frames of a finished study with the project: make evidence PARAMS=params/x.yaml
	@$(RUN) -m prune_utils evidence "$(PARAMS)"

lab: $(ENV)/ready ## open the notebooks and results in JupyterLab
	$(RUN) -m jupyterlab --ServerApp.root_dir="$(CURDIR)" --LabApp.default_url=/lab/tree/notebooks

app: $(ENV)/ready ## explore the latest finished study in the browser, without JupyterLab or a network
	$(RUN) -m voila notebooks/6_explorer.ipynb --Voila.config_file_paths=notebooks

# three processes on two cores: some tests wait, for a kernel or for Slurm
test: $(ENV)/ready ## run all tests: units, properties, a tiny study end to end, notebooks, report and explorer in a browser
	$(RUN) -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder

check: $(ENV)/ready ## check lint, formatting, import layers and unit tests (about a minute)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -c "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
	$(RUN) -m pytest -q -m unit -n 2 --dist loadfile --no-loadscope-reorder

bench: $(ENV)/ready ## measure speed on this computer: speed-ups, where a step goes, other ways to do the same, growth (10 to 15 minutes)
	@$(RUN) benchmarks/cpu.py
	@$(RUN) benchmarks/profiled.py
	@$(RUN) benchmarks/peers.py
	@$(RUN) benchmarks/growth.py --out results/bench

clean: ## remove the environment (results and reports stay)
	rm -rf $(ENV)

$(ENV)/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and "Python 3.11 to 3.13 is needed, this is " + sys.version.split()[0] + "; choose another with make PYTHON=python3.13")'
	@echo "making the environment in $(ENV) (once, a few minutes)"
	@$(PYTHON) -m venv $(ENV)
	@$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@
