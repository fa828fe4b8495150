"""Files that mean harm, made by the thousand: see `python -m fuzz --help`.

There are two ways. `python -m fuzz TARGET` looks for what is new, for as long as you let it:
atheris goes after branches that no file has reached. What it makes depends on all code that runs,
on Python and on the libraries, and even on one machine two runs with one seed and one number of
files part (measured with 1000 files: in two of four targets). What it finds is a mistake, but
hardly one of the change at hand.

So the tests go the other way: files of the corpus, changed by `mutation` with a fixed seed. Which
files that are depends on the corpus alone (for ledgers also on the machine's own, which are written
anew), limits are of the processor's time, and a failure comes again. What atheris has found becomes
a file of the corpus, and so a part of every run of the tests. Of atheris itself they only show that
it finds a mistake that was planted.
"""
