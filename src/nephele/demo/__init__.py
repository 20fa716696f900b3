"""`make demo`: a real VM, launched through the OpenStack API and logged in to, on a host that leaves nothing behind.

folder.py     where a demo's files are
cloud.py      `nephele up` as a process of its own, found again by the next demo
launch.py     what a user does, through the public API alone
guest.py      what the guest says of itself, over ssh
script.py     the story from start to end
"""
