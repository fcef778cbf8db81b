"""Small networks, kinds of bug that are planted into them, and what finds the bugs.

What is where:

    networks/    the networks, ordinary files of users
    kinds/       the kinds of change: functions from a source to edits of it
    edit         an edit of an exact range of a text
    source       a text with its tree
    places       where a planted fault shows
    mutant       what a kind makes of a network
    selection    which mutants are taken
    built        a text imported, its network and inputs
    observation  all that can be seen of one network
    oracle       whether two networks differ at all, by brute force
    baselines    what people compare with today
    subject      what seqify says
    measurement  all that is measured of the mutants of one network
    table        the results as Markdown
"""
