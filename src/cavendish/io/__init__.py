"""The rim: real clocks, dice, sockets and disks, each behind a protocol of ``engine.ports``.

Knows how, never what or when: must not decide anything about retries, money or outcomes, nor read the environment.
"""
