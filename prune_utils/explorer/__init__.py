"""Interactive views of a finished study, for notebook 6.

`studies.opened` opens a study; each `view_*` module shows one section, as a figure and as controls (`controls`).
May import every other sub-package.
"""
