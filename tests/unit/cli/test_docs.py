"""docs/cli.md is what the commands say, and starting is cheap."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_of_commands_is_fresh():
    subprocess.run([sys.executable, str(ROOT / "scripts/generate_docs.py"), "--check", "cli"], check=True)


def test_the_commands_are_loaded_without_what_only_some_of_them_need():
    code = "import sys, hinoban.cli.main; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not set(out) & {"botocore", "sqlalchemy", "moto", "httpx", "starlette", "uvicorn", "aiodocker"}
    code = "import sys, hinoban.cli.main; print(*(name for name in sys.modules if name.startswith('hinoban.daemon')))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""
