"""No shell is used anywhere, and nothing that a file says is run."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FORBIDDEN = {
    "os.system", "os.popen", "os.spawnl", "os.spawnv", "os.execl", "os.execv", "pty.spawn",
    "subprocess.getoutput", "subprocess.getstatusoutput", "asyncio.create_subprocess_shell",
    "commands.getoutput", "eval", "exec", "compile", "__import__", "pickle.load", "pickle.loads",
    "marshal.loads", "shelve.open", "shutil.unpack_archive", "yaml.load", "joblib.load",
}  # fmt: skip
TRUSTING = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False)}
"""What has to be told to run nothing; NumPy's default is that already."""


def mistakes(text: str) -> list[str]:
    """Line and name of what must not be called, or not like this."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        given = {word.arg: word.value for word in node.keywords}
        shell = given.get("shell")
        wrong = name in FORBIDDEN
        wrong |= shell is not None and ast.unparse(shell) != "False"
        wrong |= name == "subprocess.run" and bool(node.args) and _is_text(node.args[0])
        if name in TRUSTING:
            word, safe = TRUSTING[name]
            said = ast.unparse(given[word]) if word in given else None
            wrong |= said != str(safe) if name == "torch.load" else said not in (None, str(safe))
        if wrong:
            found.append(f"{node.lineno}: {name}")
    return found


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr | ast.BinOp) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


@pytest.mark.parametrize("folder", ["src", "scripts", "fuzz"])
def test_no_shell_and_no_code_of_others(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    found = {str(path): mistakes(path.read_text(encoding="utf-8")) for path in files}
    assert not {path: lines for path, lines in found.items() if lines}


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("subprocess.run(['a'])", 0),
        ("subprocess.run('a')", 1),
        ("subprocess.run(f'a {b}', check=True)", 1),
        ("subprocess.Popen(a, shell=True)", 1),
        ("run(a, shell=b)", 1),
        ("os.system('a')", 1),
        ("eval('a'); network.eval()", 1),
        ("torch.load(a)", 1),
        ("torch.load(a, weights_only=False)", 1),
        ("torch.load(a, weights_only=True)", 0),
        ("np.load(a, allow_pickle=True)", 1),
        ("np.load(a)", 0),
    ],
)
def test_mistakes_are_found(text: str, count: int) -> None:
    assert len(mistakes(text)) == count
