# SPDX-License-Identifier: LGPL-2.1-or-later
"""The fixtures of the host suite, in a virtual machine."""
import importlib.util
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "host"))
_path = pathlib.Path(__file__).resolve().parent.parent / "host" / "conftest.py"
_spec = importlib.util.spec_from_file_location("host_conftest", _path)
_module = importlib.util.module_from_spec(_spec)
sys.modules["host_conftest"] = _module
_spec.loader.exec_module(_module)
globals().update({k: v for k, v in vars(_module).items() if not k.startswith("__")})
