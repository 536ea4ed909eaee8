"""SMPP 3.4 on top of smpplib, for `phones/types/smpp.py`.

    pdu        bytes and back: frames, the PDUs that every message costs, a reading that forgives
    text       a text as segments, and segments as text: alphabets, user data headers, SAR
    receipts   delivery receipts: what they say, and about which message
    statuses   what a command_status means for a message
    profile    the settings of a phone, as the protocol needs them
    link       one bind, without a socket: bytes and moments in, bytes and news out
    wire       the thread that owns a socket and drives a link
    session    all the binds of a phone: what messaging talks to

smpplib gives the classes of the rarer PDUs, the constants and the words; docs/smpp.md says what of it
is not used, and why. https://smpp.org/SMPP_v3_4_Issue1_2.pdf is the specification.
"""
