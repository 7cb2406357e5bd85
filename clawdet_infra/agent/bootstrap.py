"""Unpacks the payload, makes modules of the sources in it and starts the deployment.

The command on the server runs this text with the payload as a global variable.
"""

import base64
import bz2
import json
import sys
import types

_payload = globals()["payload"]
_payload |= json.loads(bz2.decompress(base64.b85decode(_payload.pop("packed"))))
for _name in ("clawdet_infra", "clawdet_infra.remote"):
    _package = types.ModuleType(_name)
    _package.__path__ = []
    sys.modules[_name] = _package
# Each module imports only those before it.
for _name, _source in _payload["modules"].items():
    _module = types.ModuleType(_name)
    sys.modules[_name] = _module
    exec(compile(_source, _name, "exec"), _module.__dict__)  # noqa: S102 -- this is how the program gets here

sys.exit(sys.modules["clawdet_infra.remote.deploy"].main(_payload))
