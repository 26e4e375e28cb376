"""What native libraries print when they are imported stays out of notebooks."""

import subprocess
import sys

import pytest


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_a_notebook_is_not_greeted():
    code = (
        "import sys, types\n"
        "sys.modules['ipykernel'] = types.ModuleType('ipykernel')\n"
        "import timbrel.features.backend\n"
        "print('keras' in sys.modules, file=sys.stderr)"
    )
    assert run(code).stderr == "True\n"


@pytest.mark.slow
def test_a_program_is_not_greeted_either_and_loses_nothing_of_its_own():
    code = (
        "import os, threading\n"
        "from timbrel.display.imports import ungreeted\n"
        "with ungreeted():\n"
        "    os.write(2, b'I0000 port.cc:153] oneDNN custom operations are on. You may\\n')\n"
        "    os.write(2, b'from another thread\\n')\n"
        "import timbrel.features.backend\n"
        "os.write(2, b'after it\\n')\n"
    )
    assert run(code).stderr == "from another thread\nafter it\n"


@pytest.mark.slow
def test_tensorflow_does_not_greet_where_keras_runs_on_something_else():
    pytest.importorskip("jax", reason="the second Keras backend is not installed (extra: jax)")
    code = (
        "import os\n"
        "os.environ['KERAS_BACKEND'] = 'jax'\n"
        "from timbrel.model import export\n"
        "export._convert_in_tensorflow = lambda *what: 1 / 0\n"
        "try:\n"
        "    export.export_onnx(None)\n"
        "except ZeroDivisionError:\n"
        "    os.write(2, b'after it\\n')\n"
    )
    assert run(code).stderr == "after it\n"


@pytest.mark.parametrize("error", ["ImportError", "ValueError"])
def test_a_greeting_is_shown_where_the_import_fails(error):
    code = (
        "import os\n"
        "from timbrel.display.imports import held_back_stderr\n"
        "try:\n"
        "    with held_back_stderr():\n"
        "        os.write(2, b'what went wrong\\n')\n"
        f"        raise {error}\n"
        f"except {error}:\n"
        "    os.write(2, b'after it\\n')\n"
    )
    assert run(code).stderr == "what went wrong\nafter it\n"


def test_what_is_no_import_error_is_not_held_up():
    code = (
        "import os\n"
        "from timbrel.display.imports import held_back_stderr\n"
        "with held_back_stderr():\n"
        "    os.write(2, b'hello\\n')\n"
        "os.write(2, b'after it\\n')\n"
    )
    assert run(code).stderr == "after it\n"


def test_without_stderr_nothing_is_held_back():
    code = (
        "import os, sys\n"
        "os.close(2)\n"
        "sys.stderr = None\n"
        "from timbrel.display.imports import held_back_stderr\n"
        "with held_back_stderr():\n"
        "    print('done')\n"
    )
    assert run(code).stdout == "done\n"
