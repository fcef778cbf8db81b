"""Small networks as users write them, one a file, each with its example inputs; nothing here knows seqify.

The last class of a file is the network, built without arguments; `seqify_inputs()` gives four samples. They are tiny,
and between them use what the kinds of bug need: branches, ties, hooks, buffers, casts, random draws, masks.
"""
