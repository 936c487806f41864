"""Tables of results that others wrote, read strictly.

`sheet.read` turns a file into columns of text, `numbers` turns those into numbers of one scale, `names` reads tasks, arms
and seeds, and `told.facts` says what was read. Whatever cannot be read for sure raises ParamsError with file and line.
"""
