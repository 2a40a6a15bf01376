"""Sessions: conversations about pictures, kept on disk as a tree of turns.

::

    session.json              what the session is called and what holds for all its turns
    lock                      one process writes at a time
    turns/0002.json           one turn: what was said, what was answered, by whom and for how much
    turns/0002-make-it-night.jpg, 0002.signature-1.bin, ...     its pictures and large thought signatures
    runs/0002/                the run folder in which it was bought, with its ledger

A turn is written down before anything is bought for it, without an answer, and once more with it. Between the two the
ledger of its run folder keeps what was bought: the same words again go on from there.
"""
