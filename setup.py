"""The optional native part: without a C compiler the same is done in Python, more slowly."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "apigw_doctor.sources._native",
            sources=[f"native/{name}.c" for name in ("module", "common", "execution", "stream", "records")],
            depends=["native/common.h"],
            extra_compile_args=["-O2", "-Wall", "-Wextra"],
            optional=True,
        )
    ]
)
