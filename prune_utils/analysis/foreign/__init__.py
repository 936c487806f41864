"""Tables of results that others wrote, read strictly.

`sheet.read` turns a file into columns of text, `numbers` turns those into numbers of one scale, and `arms` names the
arms. Whatever cannot be read for sure raises ParamsError with the file and the line; the header is line 1.
"""
