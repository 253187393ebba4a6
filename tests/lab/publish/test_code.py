"""A function's code as Lambda takes it."""

import io
import zipfile
from pathlib import Path

from apigw_doctor.lab.publish import code
from apigw_doctor.lab.publish.code import zipped
from apigw_doctor.lab.setup import LabFunction


def names(data: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def function(path: Path, handler: str = "app.handler") -> LabFunction:
    return LabFunction(name="f", handler=handler, code=path)


def test_a_folder_goes_in_without_what_python_leaves_there(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "__pycache__").mkdir()
    for name in ("app.py", "lib/tools.py", "__pycache__/app.pyc"):
        (tmp_path / name).write_text("x = 1\n")
    made = zipped(function(tmp_path))
    assert names(made) == ["app.py", "lib/tools.py"]
    assert zipped(function(tmp_path)) == made


def test_a_file_is_the_whole_of_it(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def handler(event, context): ...\n")
    assert names(zipped(function(tmp_path / "app.py"))) == ["app.py"]


def test_without_code_or_with_too_much_there_is_a_handler_that_answers(tmp_path: Path) -> None:
    made = zipped(function(tmp_path / "gone", "src.web.main"))
    assert names(made) == ["src/web.py"]
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        scope: dict[str, object] = {}
        exec(archive.read("src/web.py"), scope)
    main = scope["main"]
    assert callable(main)
    assert main({}, None) == {"statusCode": 200, "body": "{}"}

    (tmp_path / "app.py").write_bytes(b"#" * (code.MAX_BYTES + 1))
    assert len(zipped(function(tmp_path))) < 1_000
