"""Figures, tables, sentences and pages, made from frames.

The functions of `plots_*` return a `style.Drawn`, which `style.show` displays; `tables` and `captions` make the tables
and text; `sentences.sentences` puts the findings into words; `pages.page` turns an executed notebook into HTML.
May import analysis, pruning and study; never training or inside.
"""
