"""Text and tasks, from their source to padded batches.

`text.documents` yields the documents to pre-train on, from files, the hub, or the `embedded` language;
`text_check.check` reports what they hold, or refuses them, before any training;
`prepared.pretraining_data` turns them into masked pairs on disk.
`tsv.table` reads the file of a task strictly, `labels.numbered` its labels, `tasks.check` reports what a task holds;
`prepared.task_data` loads its encoded training and dev sets.
`batches.training_order` and `batches.padded` decide which examples form a batch and pad it.
`vocabulary.tokenizer_of` loads the tokenizer of a study. `glue.facts` knows the files and sizes of GLUE's tasks.
"""
