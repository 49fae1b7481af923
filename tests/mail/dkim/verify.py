# Verifies messages with Debian's python3-dkim: JSON on standard input, a list of verdicts for each message on standard output.
import base64
import json
import sys

import dkim

given = json.load(sys.stdin)
zone = given["zone"]


def answer(name, timeout=5):
    text = name.decode() if isinstance(name, bytes) else name
    return zone.get(text.rstrip("."), "").encode()


def verdict(message, index):
    try:
        return dkim.DKIM(message).verify(idx=index, dnsfunc=answer)
    except dkim.DKIMException as error:
        return str(error)


verdicts = []
for message in given["messages"]:
    octets = base64.b64decode(message)
    verdicts.append([verdict(octets, index) for index in range(given["signatures"])])
print(json.dumps(verdicts))
